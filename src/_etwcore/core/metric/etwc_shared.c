#include "etwc_shared.h"

#include "etwc_alloc.h"

_Static_assert(sizeof(etwc_shared_head) % 8 == 0, "content is aligned");

void
etwc_shared_retain(const void *block)
{
    if (block != NULL)
        (void)etwc_atomic_add_relaxed(&etwc_shared_head_of(block)->references, 1);
}

void
etwc_shared_release(const void *block)
{
    if (block == NULL)
        return;
    etwc_shared_head *head = etwc_shared_head_of(block);
    if (etwc_atomic_sub_acq_rel(&head->references, 1) == 1)
        etwc_free(head);
}

bool
etwc_shared_replace(void **block, size_t size)
{
    size_t had = etwc_shared_size(*block);
    if (size < had)
        size = had;
    if (size > SIZE_MAX - sizeof(etwc_shared_head))
        return false;
    etwc_shared_head *head = etwc_calloc(1, sizeof *head + size);
    if (head == NULL)
        return false;
    etwc_atomic_init(&head->references, 1);
    head->size = size;
    void *content = head + 1;
    if (had != 0)
        memcpy(content, *block, had);
    etwc_shared_release(*block);
    *block = content;
    return true;
}
