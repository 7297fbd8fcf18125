/* SPDX-License-Identifier: MIT */
/* chunk.c - the job: count the words of one piece of one file.
 *
 * Nothing here knows of Ravel: plain calls, straight-line code, the same on every tier. The scratch
 * memory comes from malloc() because a task's stack is small (64 KiB unless asked otherwise). */
#include "chunk.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MAX_WORDS = CHUNK_BYTES / 2 + 1, /* in one chunk: one-letter words, each with its separator */
    MIN_SLOTS = 1024,
    MAX_SLOTS = 16384,
};

_Static_assert(MAX_SLOTS > MAX_WORDS, "the search for a free slot ends");
_Static_assert(MAX_WORDS <= UINT16_MAX, "a record's count fits its two bytes");
_Static_assert(RECORDS_BYTES <= UINT16_MAX, "a slot can name any record");

struct scratch {
    size_t slot_count;         /* a power of two, more than the chunk can have words */
    uint16_t slots[MAX_SLOTS]; /* open addressing: 1 + where the record starts; 0 is empty */
    unsigned char text[1 + CHUNK_BYTES + WORD_BYTES];
};

/* The character in lower case if it belongs to a word, else 0. */
static unsigned char fold(unsigned char c)
{
    unsigned char lower = c | 0x20;
    if (lower >= 'a' && lower <= 'z')
        return lower;
    return (c >= '0' && c <= '9') || c == '_' ? c : 0;
}

static bool record_is(const unsigned char *record, const unsigned char *word, size_t bytes)
{
    return record[0] == bytes && memcmp(record + RECORD_HEAD, word, bytes) == 0;
}

static void record_add(unsigned char *record, uint16_t n)
{
    uint16_t count;
    memcpy(&count, record + 1, sizeof count);
    count += n;
    memcpy(record + 1, &count, sizeof count);
}

/* Only as many as the chunk needs: most files are small. */
static void clear_slots(struct scratch *s, size_t chunk_bytes)
{
    s->slot_count = MIN_SLOTS;
    while (s->slot_count <= chunk_bytes / 2 + 1)
        s->slot_count *= 2;
    memset(s->slots, 0, s->slot_count * sizeof s->slots[0]);
}

static void add_word(struct scratch *s, struct count *out, const unsigned char *word, size_t bytes,
                     uint32_t hash)
{
    size_t slot = (hash ^ hash >> 16) % s->slot_count;
    for (; s->slots[slot]; slot = (slot + 1) % s->slot_count) {
        unsigned char *record = out->records + s->slots[slot] - 1;
        if (record_is(record, word, bytes)) {
            record_add(record, 1);
            return;
        }
    }
    unsigned char *record = out->records + out->records_bytes;
    s->slots[slot] = (uint16_t)(out->records_bytes + 1);
    out->records_bytes += RECORD_HEAD + bytes;
    assert(out->records_bytes <= RECORDS_BYTES); /* see there for the proof */
    record[0] = (unsigned char)bytes;
    memcpy(record + RECORD_HEAD, word, bytes);
    record_add(record, 1);
}

/* Count the words that start in text[begin .. end); there is text up to `readable`. */
static void count_text(struct scratch *s, struct count *out, size_t begin, size_t end,
                       size_t readable)
{
    unsigned char *text = s->text, c;
    for (size_t i = begin; i < end;) {
        if (!fold(text[i])) {
            i++;
            continue;
        }
        size_t word = i;
        uint32_t hash = 2166136261; /* FNV-1a */
        for (; i < readable && (c = fold(text[i])); i++) {
            if (i - word < WORD_BYTES) {
                text[i] = c;
                hash = (hash ^ c) * 16777619;
            }
        }
        size_t bytes = i - word < WORD_BYTES ? i - word : WORD_BYTES;
        add_word(s, out, text + word, bytes, hash);
        out->words++;
    }
}

/* Fill a buffer from a place in a file. Bytes read, fewer at the file's end; or -errno. */
static ssize_t read_at(const char *path, void *buffer, size_t bytes, off_t offset)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    size_t done = 0;
    ssize_t n;
    do {
        n = pread(fd, (char *)buffer + done, bytes - done, offset + (off_t)done);
        if (n > 0)
            done += (size_t)n;
    } while ((n > 0 && done < bytes) || (n < 0 && errno == EINTR));
    int err = n < 0 ? -errno : 0;
    close(fd);
    return err < 0 ? err : (ssize_t)done;
}

int count_words(const struct chunk *in, struct count *out)
{
    struct scratch *s = malloc(sizeof *s);
    if (!s)
        return -ENOMEM;
    /* A byte before the chunk says if it begins inside a word; some behind end its last one. */
    size_t before = in->offset > 0;
    size_t end = before + in->length;
    ssize_t n = read_at(in->path, s->text, end + WORD_BYTES, (off_t)(in->offset - before));
    if (n >= 0) {
        size_t readable = (size_t)n, begin = 0;
        if (end > readable)
            end = readable;
        while (before && begin < end && fold(s->text[begin]))
            begin++;
        clear_slots(s, in->length);
        count_text(s, out, begin, end, readable);
    }
    free(s);
    return n < 0 ? (int)n : 0;
}

bool count_next(const struct count *count, size_t *at, struct word *ret)
{
    if (*at >= count->records_bytes)
        return false;
    const unsigned char *record = count->records + *at;
    uint16_t n;
    memcpy(&n, record + 1, sizeof n);
    *ret = (struct word){(const char *)record + RECORD_HEAD, record[0], n};
    *at += RECORD_HEAD + record[0];
    return true;
}
