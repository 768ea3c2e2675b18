/* sarhad_sensor.h: a sensor of one's own speaks to Sarhad in binary frames. C99, one header, no heap, no I/O.
 *
 *   00 | COBS of ( version 01 | kind u8 | number u16 | device ms u32 | body | CRC-16 ) | 00          little-endian
 *
 *   uint8_t frame[SARHAD_MAX_FRAME];
 *   struct sarhad_detection one = sarhad_nothing_measured();
 *   one.azimuth_cdeg = 1250;                                   12.5 degrees to the right of the boresight
 *   one.slant_range_mm = 84000;
 *   one.class_ = SARHAD_DRONE;
 *   size_t size = sarhad_detections(frame, sizeof frame, number++, millis(), &one, 1);
 *   uart_write(frame, size);                                   0: did not fit
 *
 * A look that finds nothing is worth sending, too: sarhad_detections(..., NULL, 0). Every frame gets the next number, so
 * that lost ones are noticed. The other end is firmware_interfaces/sensor_binary.py; both are held to the same vectors.
 *
 * SPDX-License-Identifier: AGPL-3.0-or-later
 */
#ifndef SARHAD_SENSOR_H
#define SARHAD_SENSOR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SARHAD_VERSION 1u
#define SARHAD_MAX_DETECTIONS 64u
#define SARHAD_MAX_TEXT 64u
#define SARHAD_MAX_MESSAGE (8u + 1u + SARHAD_MAX_DETECTIONS * 14u + 2u)
#define SARHAD_MAX_FRAME (SARHAD_MAX_MESSAGE + SARHAD_MAX_MESSAGE / 254u + 3u)

/* not measured */
#define SARHAD_UNKNOWN_16 INT16_MAX
#define SARHAD_UNKNOWN_RANGE UINT32_MAX
#define SARHAD_UNKNOWN_FREQUENCY 0u

enum sarhad_kind { SARHAD_KIND_DETECTIONS = 1, SARHAD_KIND_PRESENCE = 2, SARHAD_KIND_STATUS = 3 };
enum sarhad_class { SARHAD_UNKNOWN_CLASS = 0, SARHAD_DRONE = 1, SARHAD_BIRD = 2, SARHAD_AIRPLANE = 3, SARHAD_HELICOPTER = 4 };
enum sarhad_presence_kind {
    SARHAD_MOTION = 1, SARHAD_DOOR = 2, SARHAD_FENCE = 3, SARHAD_SEISMIC = 4, SARHAD_ACOUSTIC = 5, SARHAD_SPECTRUM = 6,
    SARHAD_TAMPER = 7, SARHAD_OTHER = 255
};
enum sarhad_level { SARHAD_OK = 0, SARHAD_WARNING = 1, SARHAD_FAULT = 2 };

struct sarhad_detection {
    int16_t azimuth_cdeg;     /* 0.01 degree from the boresight, positive to the right, -18000..18000 */
    int16_t elevation_cdeg;   /* 0.01 degree above the sensor's horizontal plane, or SARHAD_UNKNOWN_16 */
    uint32_t slant_range_mm;  /* straight distance, or SARHAD_UNKNOWN_RANGE */
    int16_t range_rate_cm_s;  /* positive = receding, or SARHAD_UNKNOWN_16 */
    int16_t power_ddb;        /* signal-to-noise ratio, 0.1 dB, or SARHAD_UNKNOWN_16 */
    uint8_t confidence_200;   /* 0..200 for 0..1 */
    uint8_t class_;           /* enum sarhad_class */
};

static inline struct sarhad_detection sarhad_nothing_measured(void)
{
    struct sarhad_detection d = {0, SARHAD_UNKNOWN_16, SARHAD_UNKNOWN_RANGE, SARHAD_UNKNOWN_16, SARHAD_UNKNOWN_16, 100,
                                 SARHAD_UNKNOWN_CLASS};
    return d;
}

/* A frame while it is written: COBS is done on the way, so no second buffer is needed. */
struct sarhad_writer {
    uint8_t *out;
    size_t capacity, size, code_at;
    uint16_t crc;
    uint8_t code, is_full;
};

static inline void sarhad_put_raw(struct sarhad_writer *w, uint8_t byte)
{
    if (w->size >= w->capacity) {
        w->is_full = 1;
        return;
    }
    w->out[w->size++] = byte;
}

static inline void sarhad_close_block(struct sarhad_writer *w)
{
    if (!w->is_full) {
        w->out[w->code_at] = w->code;
    }
    w->code = 1;
    w->code_at = w->size;
    sarhad_put_raw(w, 0);
}

static inline void sarhad_put_stuffed(struct sarhad_writer *w, uint8_t byte)
{
    if (w->code == 0xFF) {
        sarhad_close_block(w);
    }
    if (byte == 0) {
        sarhad_close_block(w);
        return;
    }
    sarhad_put_raw(w, byte);
    w->code++;
}

static inline void sarhad_put_u8(struct sarhad_writer *w, uint8_t byte)
{
    uint16_t crc = (uint16_t)(w->crc ^ (uint16_t)((uint16_t)byte << 8));
    for (int bit = 0; bit < 8; bit++) {
        crc = (uint16_t)((crc & 0x8000u) ? (uint16_t)(crc << 1) ^ 0x1021u : (uint16_t)(crc << 1));
    }
    w->crc = crc;
    sarhad_put_stuffed(w, byte);
}

static inline void sarhad_put_u16(struct sarhad_writer *w, uint16_t value)
{
    sarhad_put_u8(w, (uint8_t)(value & 0xFFu));
    sarhad_put_u8(w, (uint8_t)(value >> 8));
}

static inline void sarhad_put_u32(struct sarhad_writer *w, uint32_t value)
{
    sarhad_put_u16(w, (uint16_t)(value & 0xFFFFu));
    sarhad_put_u16(w, (uint16_t)(value >> 16));
}

static inline void sarhad_begin(struct sarhad_writer *w, uint8_t *out, size_t capacity, enum sarhad_kind kind,
                                uint16_t number, uint32_t device_ms)
{
    memset(w, 0, sizeof *w);
    w->out = out;
    w->capacity = capacity;
    w->crc = 0xFFFF;
    sarhad_put_raw(w, 0);
    w->code_at = w->size;
    w->code = 1;
    sarhad_put_raw(w, 0);
    sarhad_put_u8(w, SARHAD_VERSION);
    sarhad_put_u8(w, (uint8_t)kind);
    sarhad_put_u16(w, number);
    sarhad_put_u32(w, device_ms);
}

static inline size_t sarhad_end(struct sarhad_writer *w)
{
    uint16_t crc = w->crc;
    sarhad_put_stuffed(w, (uint8_t)(crc & 0xFFu));
    sarhad_put_stuffed(w, (uint8_t)(crc >> 8));
    if (!w->is_full) {
        w->out[w->code_at] = w->code;
    }
    sarhad_put_raw(w, 0);
    return w->is_full ? 0 : w->size;
}

static inline void sarhad_put_text(struct sarhad_writer *w, const char *text)
{
    size_t length = text ? strlen(text) : 0;
    if (length > SARHAD_MAX_TEXT) {
        length = SARHAD_MAX_TEXT;
    }
    sarhad_put_u8(w, (uint8_t)length);
    for (size_t place = 0; place < length; place++) {
        sarhad_put_u8(w, (uint8_t)text[place]);
    }
}

/* Each returns the frame's size, or 0 where it does not fit. */

static inline size_t sarhad_detections(uint8_t *out, size_t capacity, uint16_t number, uint32_t device_ms,
                                       const struct sarhad_detection *detections, uint8_t count)
{
    struct sarhad_writer w;
    if (count > SARHAD_MAX_DETECTIONS) {
        return 0;
    }
    sarhad_begin(&w, out, capacity, SARHAD_KIND_DETECTIONS, number, device_ms);
    sarhad_put_u8(&w, count);
    for (uint8_t place = 0; place < count; place++) {
        const struct sarhad_detection *d = &detections[place];
        sarhad_put_u16(&w, (uint16_t)d->azimuth_cdeg);
        sarhad_put_u16(&w, (uint16_t)d->elevation_cdeg);
        sarhad_put_u32(&w, d->slant_range_mm);
        sarhad_put_u16(&w, (uint16_t)d->range_rate_cm_s);
        sarhad_put_u16(&w, (uint16_t)d->power_ddb);
        sarhad_put_u8(&w, d->confidence_200);
        sarhad_put_u8(&w, d->class_);
    }
    return sarhad_end(&w);
}

static inline size_t sarhad_presence(uint8_t *out, size_t capacity, uint16_t number, uint32_t device_ms,
                                     enum sarhad_presence_kind kind, int16_t power_ddbm, uint32_t frequency_khz,
                                     const char *text)
{
    struct sarhad_writer w;
    sarhad_begin(&w, out, capacity, SARHAD_KIND_PRESENCE, number, device_ms);
    sarhad_put_u8(&w, (uint8_t)kind);
    sarhad_put_u16(&w, (uint16_t)power_ddbm);
    sarhad_put_u32(&w, frequency_khz);
    sarhad_put_text(&w, text);
    return sarhad_end(&w);
}

static inline size_t sarhad_status(uint8_t *out, size_t capacity, uint16_t number, uint32_t device_ms,
                                   enum sarhad_level level, const char *text)
{
    struct sarhad_writer w;
    sarhad_begin(&w, out, capacity, SARHAD_KIND_STATUS, number, device_ms);
    sarhad_put_u8(&w, (uint8_t)level);
    sarhad_put_text(&w, text);
    return sarhad_end(&w);
}

#endif
