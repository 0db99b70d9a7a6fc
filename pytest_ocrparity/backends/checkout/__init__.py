"""`tools/infer/predict_det.py` and `predict_rec.py` of a PaddleOCR checkout as sides: their own classes, tapped."""
