/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * console: the terminal of the system. Takes the kernel's log over from the kernel, collects the
 * text of all programs and sends it to the first serial port; what is typed goes to the foreground
 * program. Serves "console" (<sk/protocol/console.h>).
 *
 * Never waits for a client or for the port: output is a bounded ring; text for which there is no room
 * is dropped and counted, and the loss is said when there is room again. One thread, no locks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sk/print.h>
#include <sk/protocol/console.h>
#include <sk/protocol/uart.h>
#include <sk/server.h>
#include <sk/service.h>
#include <sk/time.h>

#include "input.h"
#include "output.h"

#define KERNEL_WRITER 1u /* no object has this id */
#define ECHO_WRITER 3u   /* likewise */
#define PORT_PATIENCE (10 * SK_SECOND)
#define LAST_WORDS (300 * SK_MS) /* less than init waits for a service that it stops */
#define RETRY (10 * SK_MS)
#define CLIENTS_MAX 48u

/* A client: what of its text waits or was lost. */
struct writer {
    token_t waiting; /* a WRITE call without room yet; its text is in `text` */
    size_t length;
    char text[SK_CONSOLE_TEXT_MAX];
    uint64_t dropped; /* lines */
    token_t reading;  /* a READ call */
    token_t draining; /* a DRAIN call */
    size_t capacity;
};

static struct output output;
static struct input input;
static struct sk_server server;
static struct sk_client *port; /* the serial port: the loop serves it like a client */
static handle_t log_handle, log_arrival;
static uint64_t log_position;
static uint32_t under_way; /* bytes sent to the port and not yet confirmed */

static bool say_dropped(struct sk_client *client)
{
    struct writer *writer = client->data;
    char text[96];
    if (writer->dropped == 0) {
        return true;
    }
    int length = snprintf(text, sizeof text, "%lu lines of %s dropped\n",
                          (unsigned long)writer->dropped, client->name);
    if (!output_text(&output, KERNEL_WRITER, "console", text, (size_t)length)) {
        return false;
    }
    writer->dropped = 0;
    return true;
}

static bool write_text(struct sk_client *client, const char *text, size_t length)
{
    return say_dropped(client) &&
           output_text(&output, client->process_id, client->name, text, length);
}

/* Sends what the port's window and its inbox allow; what is on its way tells when to go on. */
static void pump(void)
{
    _Alignas(8) static uint8_t buffer[sizeof(struct sk_uart_write) + SK_UART_BYTES_MAX];
    struct sk_uart_write *message = (struct sk_uart_write *)buffer;
    while (output.count > 0 && under_way < SK_UART_WINDOW) {
        size_t room = SK_UART_WINDOW - under_way;
        size_t most = room < SK_UART_BYTES_MAX ? room : SK_UART_BYTES_MAX;
        size_t length = output_peek(&output, message->bytes, most);
        message->operation = SK_UART_WRITE;
        struct sk_out out = sk_out_bytes(message, sizeof *message + length);
        if (sk_channel_send(port->endpoint, &out) != SK_OK) {
            break;
        }
        output_drop(&output, length);
        under_way += (uint32_t)length;
    }
    /* Nothing is on its way: only want of memory can be the reason, and nobody tells when that is over. */
    bool alone = output.count > 0 && under_way == 0;
    sk_server_set_deadline(&server, alone ? sk_deadline_after(RETRY) : SK_DEADLINE_NEVER);
}

/* Copies the kernel's log as far as there is room. */
static void read_log(void)
{
    char text[512];
    while (output.count < OUTPUT_BYTES / 2) {
        uint64_t copied = 0, next = log_position;
        if (sk_log_read(log_handle, log_position, text, sizeof text, &copied, &next) != SK_OK ||
            copied == 0 || !output_raw(&output, KERNEL_WRITER, text, copied)) {
            return;
        }
        log_position = next;
    }
}

/* There is room again: those who waited, oldest connection last, as the list goes. */
static void serve_waiting(void)
{
    for (struct sk_client *client = server.clients; client != NULL; client = client->next) {
        struct writer *writer = client->data;
        if (writer == NULL) {
            continue; /* the port */
        }
        if (writer->waiting != SK_TOKEN_NONE && write_text(client, writer->text, writer->length)) {
            sk_server_answer_status(writer->waiting, SK_OK);
            writer->waiting = SK_TOKEN_NONE;
        }
        say_dropped(client);
        bool drained = output.count == 0 && under_way == 0;
        if (drained && writer->draining != SK_TOKEN_NONE) {
            sk_server_answer_status(writer->draining, SK_OK);
            writer->draining = SK_TOKEN_NONE;
        }
    }
}

static struct sk_client *foreground(void)
{
    for (struct sk_client *client = server.clients; client != NULL; client = client->next) {
        if (client->grants & SK_GRANT_FOREGROUND) {
            return client; /* newest first */
        }
    }
    return NULL;
}

/* Hands a line to the foreground program if it waits for one. */
static void deliver_input(void)
{
    _Alignas(8) char buffer[sizeof(struct sk_console_input) + INPUT_LINE_MAX];
    struct sk_console_input *answer = (struct sk_console_input *)buffer;
    struct sk_client *client = foreground();
    struct writer *writer = client != NULL ? client->data : NULL;
    if (writer == NULL || writer->reading == SK_TOKEN_NONE || !input_ready(&input)) {
        return;
    }
    size_t most = writer->capacity < INPUT_LINE_MAX ? writer->capacity : INPUT_LINE_MAX;
    struct input before = input;
    size_t length = input_take(&input, answer->text, most);
    answer->status = SK_OK;
    if (sk_server_answer(writer->reading, answer, sizeof *answer + length, NULL, 0) != SK_OK) {
        input = before; /* nobody took the line: it is still there */
    }
    writer->reading = SK_TOKEN_NONE;
}

static void typed(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        char echo[4];
        size_t shown = input_type(&input, bytes[i], echo);
        for (size_t k = 0; k < shown; k++) {
            if (echo[k] != '\r') { /* the output adds its own */
                output_raw(&output, ECHO_WRITER, &echo[k], 1);
            }
        }
    }
    deliver_input();
}

static void on_port(const struct sk_in *in)
{
    const struct sk_uart_written *written = sk_request(in, struct sk_uart_written);
    const struct sk_uart_input *arrived = sk_request(in, struct sk_uart_input);
    if (sk_operation(in) == SK_UART_WRITTEN && written != NULL) {
        under_way -= written->count < under_way ? (uint32_t)written->count : under_way;
    } else if (sk_operation(in) == SK_UART_INPUT && arrived != NULL) {
        typed(arrived->bytes, in->length - sizeof *arrived);
    }
}

static status_t on_write(struct sk_client *client, const struct sk_in *in)
{
    const struct sk_console_write *request = sk_request(in, struct sk_console_write);
    struct writer *writer = client->data;
    size_t length = in->length - sizeof *request;
    if (length > SK_CONSOLE_TEXT_MAX) {
        return SK_TOO_BIG;
    }
    if (writer->waiting == SK_TOKEN_NONE && write_text(client, request->text, length)) {
        return SK_OK;
    }
    if (!in->is_call) {
        writer->dropped++;
        return SK_OK;
    }
    if (writer->waiting != SK_TOKEN_NONE) {
        return SK_BUSY;
    }
    memcpy(writer->text, request->text, length);
    writer->length = length;
    writer->waiting = in->token;
    return SK_PENDING;
}

static status_t on_read(struct sk_client *client, const struct sk_in *in)
{
    const struct sk_console_read *request = sk_request(in, struct sk_console_read);
    struct writer *writer = client->data;
    if (request == NULL || !in->is_call || request->capacity == 0) {
        return SK_INVALID_ARGS;
    }
    if (client != foreground()) {
        return SK_NOT_ALLOWED;
    }
    if (writer->reading != SK_TOKEN_NONE) {
        /* The earlier call may have timed out: ask by answering it with nothing to lose. */
        if (sk_server_answer_status(writer->reading, SK_BUSY) == SK_OK) {
            writer->reading = SK_TOKEN_NONE;
        }
    }
    writer->reading = in->token;
    writer->capacity = request->capacity;
    deliver_input();
    return SK_PENDING;
}

static status_t on_drain(struct sk_client *client, const struct sk_in *in)
{
    struct writer *writer = client->data;
    if (!in->is_call) {
        return SK_INVALID_ARGS;
    }
    if (writer->draining != SK_TOKEN_NONE) {
        sk_server_answer_status(writer->draining, SK_BUSY); /* it has most likely given up */
    }
    writer->draining = in->token;
    return SK_PENDING;
}

static status_t on_message(struct sk_server *loop, struct sk_client *client, struct sk_in *in,
                           struct sk_reply *reply)
{
    if (client == port) {
        on_port(in);
        return SK_OK;
    }
    switch (sk_operation(in)) {
    case SK_CONSOLE_WRITE:
        return on_write(client, in);
    case SK_CONSOLE_READ:
        return on_read(client, in);
    case SK_CONSOLE_DRAIN:
        return on_drain(client, in);
    default:
        return SK_NOT_SUPPORTED;
    }
}

static status_t on_connect(struct sk_server *loop, struct sk_client *client)
{
    client->data = calloc(1, sizeof(struct writer));
    return client->data != NULL ? SK_OK : SK_NO_MEMORY;
}

/* A client that the loop dropped may still wait: its calls do not end with its connection. */
static void end_call(token_t token)
{
    if (token != SK_TOKEN_NONE) {
        sk_server_answer_status(token, SK_PEER_CLOSED);
    }
}

static void on_disconnect(struct sk_server *loop, struct sk_client *client)
{
    if (client == port) {
        sk_server_stop(loop, 1); /* the kernel prints again, and init says that we are gone */
        return;
    }
    struct writer *writer = client->data;
    say_dropped(client);
    end_call(writer->waiting);
    end_call(writer->reading);
    end_call(writer->draining);
    free(writer);
}

/* Everything that moves output on is done here, once per round of the loop. */
static bool before_wait(struct sk_server *loop)
{
    read_log();
    pump();
    serve_waiting();
    pump();
    return false;
}

static void log_grew(struct sk_server *loop, handle_t handle, uint32_t signals, void *context)
{
    /* before_wait reads it. */
}

static status_t take_over_log(void)
{
    log_handle = sk_boot_handle("log");
    status_t status = sk_event_create(sk_self_job, &log_arrival);
    if (status == SK_OK) {
        status = sk_server_watch(&server, log_arrival, SK_SIGNAL_EVENT, log_grew, NULL);
    }
    if (status == SK_OK) {
        status = sk_log_take_console(log_handle, log_arrival, &log_position);
    }
    return status;
}

/* The system is being switched off: what has been said still leaves the machine. */
static void drain(void)
{
    _Alignas(8) static uint8_t bytes[SK_MESSAGE_BYTES_MAX];
    uint64_t deadline = sk_deadline_after(LAST_WORDS);
    status_t status = SK_OK;
    read_log();
    pump();
    while (status == SK_OK && (output.count > 0 || under_way > 0)) {
        struct sk_in in = {.bytes = bytes, .capacity = sizeof bytes};
        status = sk_channel_receive(port->endpoint, &in, deadline);
        if (status == SK_OK) {
            on_port(&in);
            read_log();
            pump();
        }
    }
}

int main(void)
{
    static const struct sk_server_ops ops = {.connect = on_connect,
                                             .message = on_message,
                                             .disconnect = on_disconnect,
                                             .before_wait = before_wait};
    output_init(&output);
    handle_t endpoint;
    status_t status = sk_connect("uart0", sk_deadline_after(PORT_PATIENCE), &endpoint);
    if (status == SK_NOT_FOUND) {
        printf(
            "no serial port that a driver here knows is in the device tree: the firmware prints, "
            "and nothing can be typed\n");
        return 0; /* trying again would not help */
    }
    if (status != SK_OK) {
        sk_die("no serial port: %s; the kernel goes on printing", sk_status_words(status));
    }
    status = sk_server_init(&server, &ops, NULL);
    server.clients_max = CLIENTS_MAX;
    if (status == SK_OK) {
        status = sk_server_add_client(&server, endpoint, 0, "uart", &port);
    }
    if (status == SK_OK) {
        status = take_over_log();
    }
    if (status == SK_OK) {
        status = sk_server_offer(&server, "console");
    }
    if (status != SK_OK) {
        sk_die("cannot start: %s", sk_status_words(status));
    }
    int exit_code = sk_server_run(&server);
    if (exit_code == 0) {
        drain();
    }
    return exit_code;
}
