"""Whatever runs a model; the only package that imports paddle, paddlex, paddleocr, ppocr or cv2."""
