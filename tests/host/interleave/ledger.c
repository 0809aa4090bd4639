/* SPDX-License-Identifier: BSD-2-Clause */
/* The record of all calls of a run. */
#include "ledger.h"

#include <string.h>

#define CALLS_MAX 64u
#define ANSWER 1000u

static struct record {
    uint32_t receives, answers;
    bool ended, delivered;
    status_t status;
} records[CALLS_MAX];
static uint32_t record_count;

/* A handle that went with a call is gone if the call was received, and is where it was if not. */
static void check_moved(struct actor *self, handle_t moved, bool gone)
{
    if (moved != SK_HANDLE_NONE) {
        CHECK(act(self, SK_SYS_handle_close, moved, 0, 0, 0) == (gone ? SK_BAD_HANDLE : SK_OK));
    }
}

status_t ledger_call(struct actor *self, handle_t end, handle_t moved, uint64_t deadline)
{
    uint64_t word = record_count++;
    CHECK(word < CALLS_MAX);
    struct record *record = &records[word];
    struct message_in reply;
    status_t status = act_call(self, end, word, moved, deadline, &reply);
    record->ended = true;
    record->status = status;
    record->delivered = status != SK_OK && (reply.info & SK_INFO_DELIVERED);
    CHECK(status == SK_OK || status == SK_TIMED_OUT || status == SK_PEER_CLOSED ||
          status == SK_BAD_HANDLE);
    CHECK(status != SK_OK || reply.word == word + ANSWER);
    check_moved(self, moved, status == SK_OK || record->delivered);
    return status;
}

void ledger_received(const struct message_in *message)
{
    CHECK(message->word < record_count);
    records[message->word].receives++;
}

static void note_reply(uint64_t word, status_t status)
{
    CHECK(status == SK_OK || status == SK_NOT_FOUND);
    records[word].answers += status == SK_OK;
}

void ledger_reply(struct actor *self, const struct message_in *message)
{
    note_reply(message->word,
               act_reply(self, message->token, message->word + ANSWER, SK_HANDLE_NONE));
}

static void close_all(struct actor *self, const struct message_in *message)
{
    for (uint32_t i = 0; i < message->count; i++) {
        CHECK(act(self, SK_SYS_handle_close, message->handles[i], 0, 0, 0) == SK_OK);
    }
}

void ledger_serve(struct actor *self, handle_t source)
{
    struct message_in message;
    status_t status = act_receive(self, source, SK_DEADLINE_NEVER, &message);
    while (status == SK_OK) {
        if (message.info & SK_INFO_SIGNALS) {
            return;
        }
        close_all(self, &message);
        if (!(message.info & SK_INFO_CALL)) {
            status = act_receive(self, source, SK_DEADLINE_NEVER, &message);
            continue;
        }
        ledger_received(&message);
        uint64_t word = message.word;
        if (explore_draw(3) == 0) {
            ledger_reply(self, &message);
            status = act_receive(self, source, SK_DEADLINE_NEVER, &message);
        } else {
            status = act_reply_receive(self, message.token, word + ANSWER, source,
                                       SK_DEADLINE_NEVER, &message);
            note_reply(word, message.reply_status);
        }
    }
    CHECK(status == SK_PEER_CLOSED || status == SK_BAD_STATE || status == SK_BAD_HANDLE);
}

void ledger_check(bool server_dies)
{
    for (uint32_t i = 0; i < record_count; i++) {
        const struct record *record = &records[i];
        CHECK(record->receives <= 1 && record->answers <= record->receives);
        if (!record->ended) {
            continue; /* its caller was killed */
        }
        bool received = record->status == SK_OK || record->delivered;
        CHECK(record->receives == received || (received && server_dies));
        CHECK(record->answers == (record->status == SK_OK) ||
              (record->status == SK_OK && server_dies));
    }
}
