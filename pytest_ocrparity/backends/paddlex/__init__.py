"""The deployed side: `paddleocr.TextDetection` of 3.x, tapped inside paddlex's predictor."""
