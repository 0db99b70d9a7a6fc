"""OpenVINO and RapidOCR as the deployment, which `make engines` installs."""
