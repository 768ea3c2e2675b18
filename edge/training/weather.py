"""What lies between an object and its picture: cameras' text, polarity, brightness, blur, noise and compression."""

from __future__ import annotations

import cv2
import numpy as np

from edge.training.clips import Boxes, Picture


def overlay(picture: Picture, boxes: Boxes, chance: np.random.Generator) -> Picture:
    """Text and frames as cameras burn them into the picture, mostly along its rim; never over an object."""
    picture = picture.copy()
    for _ in range(int(chance.integers(1, 7))):
        words = "".join(chance.choice(list("ABCDEFGHIKLMNORSTVWXZ0123456789:.()- %"), int(chance.integers(2, 11))))
        scale, tone = float(chance.uniform(0.3, 0.6)), int(chance.choice([255, 230, 200, 20]))
        (width, height), _ = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
        left = int(chance.integers(0, max(1, picture.shape[1] - width)))
        row = float(chance.choice([chance.uniform(0, 0.15), chance.uniform(0.85, 1), chance.uniform(0, 1)]))
        bottom = int(np.clip(row * picture.shape[0], height + 3, picture.shape[0] - 4))
        near = (boxes[:, 1] < left + width + 8) & (left - 8 < boxes[:, 1] + boxes[:, 3])
        near &= (boxes[:, 2] < bottom + 8) & (bottom - height - 8 < boxes[:, 2] + boxes[:, 4])
        if near.any():
            continue
        if chance.random() < 0.3:
            cv2.rectangle(picture, (left, bottom - height - 3), (left + width, bottom + 3), (tone,) * 3, 1)
        if chance.random() < 0.8:
            cv2.putText(picture, words, (left, bottom), cv2.FONT_HERSHEY_SIMPLEX, scale, (tone,) * 3, 1, cv2.LINE_AA)
    return picture


def weather(picture: Picture, source: str, chance: np.random.Generator) -> Picture:
    """As cameras and links differ; infrared shows no colour, and either polarity."""
    if source == "ir" and chance.random() < 0.03:
        picture = 255 - picture
    if source != "ir" and chance.random() < 0.1:
        picture = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    if chance.random() < 0.4:
        picture = relit(np.asarray(picture, np.uint8), source, chance)
    if chance.random() < 0.06:
        picture = cv2.GaussianBlur(picture, (0, 0), float(chance.uniform(0.4, 1.2)))
    if chance.random() < 0.1:
        picture = noisy(np.asarray(picture, np.uint8), chance)
    if chance.random() < 0.12:
        _, packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(chance.integers(30, 92))])
        picture = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    return np.asarray(picture, np.uint8)


def relit(picture: Picture, source: str, chance: np.random.Generator) -> Picture:
    """Another gain, level and gamma; visible pictures also another tint."""
    gain, lift_by, gamma = chance.uniform(0.8, 1.25), chance.uniform(-20, 20), chance.uniform(0.85, 1.18)
    tint = chance.uniform(0.94, 1.06, 3) if source != "ir" else np.ones(3)
    levels = np.linspace(0, 1, 256)[:, None] ** gamma * 255
    table = np.clip(((levels - 128) * gain + 128 + lift_by) * tint, 0, 255)
    return np.asarray(cv2.LUT(picture, table.astype(np.uint8)[:, None, :]), np.uint8)


def noisy(picture: Picture, chance: np.random.Generator) -> Picture:
    """Noise of single pixels, a tenth of it strong; a third with stripes, as uncooled infrared sensors show them."""
    sigma = float(chance.uniform(1, 5))
    noise = chance.standard_normal((*picture.shape[:2], 1), np.float32) * sigma
    if chance.random() < 0.3:
        noise = noise + chance.standard_normal((1, picture.shape[1], 1), np.float32) * sigma * 0.6
    return np.clip(picture + noise, 0, 255).astype(np.uint8)
