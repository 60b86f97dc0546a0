/*
 * Corpus driver: gives saved inputs to a fuzz target without any fuzzer, so that
 * every build replays them. Linked with one fuzz_*.c, which defines
 *
 *     int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
 *
 * Arguments are files and folders. A file that ends in ".hex" is hex text: blanks
 * are ignored and lines that start with '#' say where the input comes from. Any
 * other file is taken as it is. Each input lies in a heap block of exactly its
 * size, where a sanitizer sees reads past the end.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned passed;
static unsigned failed;

static uint8_t *
read_file(const char *path, size_t *out_size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return NULL;
    size_t size = 0;
    size_t capacity = 4096;
    uint8_t *bytes = malloc(capacity);
    while (bytes != NULL) {
        size += fread(bytes + size, 1, capacity - size, file);
        if (size < capacity)
            break;
        capacity *= 2;
        uint8_t *grown = realloc(bytes, capacity);
        if (grown == NULL)
            free(bytes);
        bytes = grown;
    }
    fclose(file);
    *out_size = size;
    return bytes;
}

static int
hex_digit(int c)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = c > ' ' ? strchr(digits, c | 0x20) : NULL;
    return found != NULL ? (int)(found - digits) : -1;
}

/* In place: the text becomes the bytes that it names. */
static bool
parse_hex(uint8_t *text, size_t *size)
{
    size_t n = 0;
    int high = -1;
    bool is_comment = false;
    for (size_t i = 0; i < *size; i++) {
        int c = text[i];
        if (c == '#' || c == '\n')
            is_comment = c == '#';
        if (is_comment || c == '\n' || c == '\r' || c == ' ' || c == '\t')
            continue;
        int digit = hex_digit(c);
        if (digit < 0)
            return false;
        if (high >= 0)
            text[n++] = (uint8_t)(high << 4 | digit);
        high = high >= 0 ? -1 : digit;
    }
    *size = n;
    return high < 0;
}

static bool
ends_in_hex(const char *path)
{
    size_t n = strlen(path);
    return n > 4 && strcmp(path + n - 4, ".hex") == 0;
}

static void
replay_file(const char *path)
{
    size_t size;
    uint8_t *bytes = read_file(path, &size);
    bool is_good = bytes != NULL && (!ends_in_hex(path) || parse_hex(bytes, &size));
    uint8_t *exact = is_good ? malloc(size ? size : 1) : NULL;
    if (exact == NULL) {
        printf("FAILED   %s cannot be read, or is not hex\n", path);
        failed++;
    } else {
        memcpy(exact, bytes, size);
        printf("running  %s\n", path);
        fflush(stdout);
        (void)LLVMFuzzerTestOneInput(exact, size);
        passed++;
    }
    free(exact);
    free(bytes);
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in a folder, sorted; the caller frees each and the list. */
static size_t
list_folder(DIR *folder, char ***out)
{
    char **names = NULL;
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        char **grown = realloc(names, (count + 1) * sizeof *names);
        size_t size = strlen(entry->d_name) + 1;
        char *name = grown != NULL ? malloc(size) : NULL;
        if (name == NULL)
            abort();
        memcpy(name, entry->d_name, size);
        names = grown;
        names[count++] = name;
    }
    if (count > 0)
        qsort(names, count, sizeof *names, compare_names);
    *out = names;
    return count;
}

static void
replay(const char *path)
{
    DIR *folder = opendir(path);
    if (folder == NULL) {
        replay_file(path);
        return;
    }
    char **names;
    size_t count = list_folder(folder, &names);
    closedir(folder);
    for (size_t i = 0; i < count; i++) {
        char inner[4096];
        int n = snprintf(inner, sizeof inner, "%s/%s", path, names[i]);
        if (n > 0 && (size_t)n < sizeof inner)
            replay_file(inner);
        free(names[i]);
    }
    free(names);
}

int
main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    printf("%u passed, %u failed, 0 skipped\n", passed, failed);
    return failed != 0;
}
