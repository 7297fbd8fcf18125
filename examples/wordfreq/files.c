/* SPDX-License-Identifier: MIT */
/* files.c - the text files below a directory, and the chunks that they are cut into.
 *
 * Text is what has no NUL in its first block, as grep sees it. Symbolic links are not followed, so
 * that the tree has an end. */
#include "files.h"

#include "term.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK_BYTES = 65536 };

static int append(struct files *files, const char *path, uint64_t bytes)
{
    if (files->count == files->capacity) {
        size_t capacity = files->capacity ? 2 * files->capacity : 1024;
        struct file *list = realloc(files->list, capacity * sizeof *list);
        if (!list)
            return -ENOMEM;
        files->list = list;
        files->capacity = capacity;
    }
    char *copy = strdup(path);
    if (!copy)
        return -ENOMEM;
    files->list[files->count++] = (struct file){copy, bytes};
    files->bytes += bytes;
    files->chunks += (bytes + CHUNK_BYTES - 1) / CHUNK_BYTES;
    return 0;
}

/* Read a file to its end. Its bytes; -EILSEQ if it is not text, or another -errno. */
static int64_t read_text(const char *path, char *block)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    int64_t bytes = 0;
    ssize_t n;
    while ((n = read(fd, block, BLOCK_BYTES)) > 0) {
        if (bytes == 0 && memchr(block, '\0', (size_t)n)) {
            close(fd);
            return -EILSEQ;
        }
        bytes += n;
    }
    int err = -errno;
    close(fd);
    return n < 0 ? err : bytes;
}

static int add_file(struct files *files, const char *path, char *block)
{
    if (strlen(path) >= PATH_BYTES) {
        files->path_too_long++;
        return 0;
    }
    int64_t bytes = read_text(path, block);
    if (bytes >= 0)
        return append(files, path, (uint64_t)bytes);
    if (bytes == -EILSEQ)
        files->not_text++;
    else
        files->unreadable++;
    return 0;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int walk(struct files *files, FTS *tree, char *block)
{
    FTSENT *entry;
    int err = 0;
    while (err == 0 && (errno = 0, entry = fts_read(tree))) {
        switch (entry->fts_info) {
        case FTS_F:
            err = add_file(files, entry->fts_path, block);
            if (progress_is_due())
                progress_show("%s files found", text_count(files->count).s);
            break;
        case FTS_DNR:
        case FTS_ERR:
        case FTS_NS:
            files->unreadable++;
            break;
        default:
            break;
        }
    }
    return err < 0 ? err : -errno;
}

static int check_directory(const char *path)
{
    struct stat s;
    if (stat(path, &s) < 0)
        return -errno;
    return S_ISDIR(s.st_mode) ? 0 : -ENOTDIR;
}

int files_find(struct files *files, const char *directory)
{
    int err = check_directory(directory);
    if (err < 0)
        return err;
    char *root = realpath(directory, NULL), *block = malloc(BLOCK_BYTES);
    FTS *tree = root ? fts_open((char *[]){root, NULL}, FTS_PHYSICAL | FTS_NOCHDIR, by_name) : NULL;
    if (tree && block)
        err = walk(files, tree, block);
    else
        err = -errno;
    if (tree)
        fts_close(tree);
    free(block);
    free(root);
    progress_end();
    return err;
}

int files_save(const struct files *files, FILE *out)
{
    for (size_t i = 0; i < files->count; i++)
        fprintf(out, "%ju %s%c", (uintmax_t)files->list[i].bytes, files->list[i].path, '\0');
    return fflush(out) == 0 ? 0 : -errno;
}

int files_load(struct files *files, FILE *in)
{
    char *line = NULL, *path;
    size_t capacity = 0;
    int err = 0;
    while (err == 0 && getdelim(&line, &capacity, '\0', in) > 0) {
        uint64_t bytes = strtoull(line, &path, 10);
        err = append(files, path + 1, bytes);
    }
    free(line);
    return err < 0 ? err : ferror(in) ? -EIO : 0;
}

void files_free(struct files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->list[i].path);
    free(files->list);
    *files = (struct files){0};
}

bool files_next_chunk(const struct files *files, struct chunk_at *at, struct chunk *ret)
{
    while (at->file < files->count && at->offset >= files->list[at->file].bytes)
        *at = (struct chunk_at){.file = at->file + 1};
    if (at->file == files->count)
        return false;
    const struct file *file = &files->list[at->file];
    uint64_t left = file->bytes - at->offset;
    *ret = (struct chunk){.offset = at->offset, .length = left < CHUNK_BYTES ? left : CHUNK_BYTES};
    strcpy(ret->path, file->path);
    at->offset += ret->length;
    return true;
}
