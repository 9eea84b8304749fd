/* A WebSocket client's side (RFC 6455): reads a server's frames as they come and makes its own. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { WEBSOCKET_TEXT = 1, WEBSOCKET_CLOSE = 8, WEBSOCKET_PING = 9, WEBSOCKET_PONG = 10 };
enum { WEBSOCKET_HEADER = 10, WEBSOCKET_MESSAGE = 4096, WEBSOCKET_OVERHEAD = 8 };

/* A frame that is being read. Of a longer one the first WEBSOCKET_MESSAGE bytes are kept. */
struct websocket {
    unsigned char header[WEBSOCKET_HEADER];
    size_t header_length;
    uint64_t left;
    int opcode;
    char message[WEBSOCKET_MESSAGE + 1];
    size_t message_length;
};

/* Of the header, which says itself how long it is; 0 while that is not known. */
static inline size_t websocket_header_size(const struct websocket *socket) {
    if (socket->header_length < 2) return 0;
    int length = socket->header[1] & 0x7f;
    return length == 126 ? 4 : length == 127 ? 10 : 2;
}

static inline void websocket_begin(struct websocket *socket) {
    size_t size = websocket_header_size(socket);
    socket->left = socket->header[1] & 0x7f;
    if (size > 2) socket->left = 0;
    for (size_t i = 2; i < size; i++) socket->left = socket->left << 8 | socket->header[i];
    socket->opcode = socket->header[0] & 0x0f;
    socket->message_length = 0;
}

/* Takes the next bytes and returns how many. *whole: whether they complete a frame, which is in opcode, message and
 * message_length until the next call. */
static inline size_t websocket_take(struct websocket *socket, const char *bytes, size_t length, bool *whole) {
    size_t taken = 0, size = websocket_header_size(socket);
    *whole = false;
    if (size == 0 || socket->header_length < size) {
        socket->header[socket->header_length++] = (unsigned char)*bytes;
        if (socket->header_length != websocket_header_size(socket)) return 1;
        websocket_begin(socket);
        taken = 1;
    } else {
        taken = length < socket->left ? length : (size_t)socket->left;
        size_t room = WEBSOCKET_MESSAGE - socket->message_length, kept = taken < room ? taken : room;
        memcpy(socket->message + socket->message_length, bytes, kept);
        socket->message_length += kept;
        socket->left -= taken;
    }
    if (socket->left == 0) {
        socket->message[socket->message_length] = '\0';
        socket->header_length = 0;
        *whole = true;
    }
    return taken;
}

/* Writes a masked frame of at most 65,535 bytes to out, which has WEBSOCKET_OVERHEAD more; returns its length. */
static inline size_t websocket_frame(int opcode, const char *bytes, size_t length, char *out) {
    static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    size_t at = 0;
    out[at++] = (char)(0x80 | opcode);
    if (length < 126) {
        out[at++] = (char)(0x80 | length);
    } else {
        out[at++] = (char)(0x80 | 126);
        out[at++] = (char)(length >> 8);
        out[at++] = (char)length;
    }
    memcpy(out + at, mask, sizeof mask);
    at += sizeof mask;
    for (size_t i = 0; i < length; i++) out[at + i] = (char)(bytes[i] ^ mask[i % 4]);
    return at + length;
}
