/*
 * Lists through the items of an array, by number, so that they survive when the array
 * moves. An item is in a list at most once; taking it out costs nothing to find it.
 * Private to core/metric.
 */
#ifndef METRIC_LIST_H
#define METRIC_LIST_H

#include "etwc_table.h"

typedef struct metric_link {
    uint32_t next, previous; /* ETWC_TABLE_NONE at the ends */
} metric_link;

typedef struct metric_list {
    uint32_t first, last; /* ETWC_TABLE_NONE when it is empty */
} metric_list;

#define METRIC_LIST_EMPTY ((metric_list){ETWC_TABLE_NONE, ETWC_TABLE_NONE})

/* Where the link of item 0 lies, and how far it is to that of the next. */
typedef struct metric_links {
    void *first;
    size_t stride;
} metric_links;

#define METRIC_LINKS(items, member) \
    ((metric_links){(items) ? &(items)->member : NULL, sizeof *(items)})

static inline metric_link *
metric_links_at(metric_links links, uint32_t item)
{
    return (metric_link *)(void *)((char *)links.first + item * links.stride);
}

static inline void
metric_list_append(metric_list *list, metric_links links, uint32_t item)
{
    *metric_links_at(links, item) = (metric_link){ETWC_TABLE_NONE, list->last};
    if (list->last == ETWC_TABLE_NONE)
        list->first = item;
    else
        metric_links_at(links, list->last)->next = item;
    list->last = item;
}

static inline void
metric_list_remove(metric_list *list, metric_links links, uint32_t item)
{
    metric_link link = *metric_links_at(links, item);
    if (link.previous == ETWC_TABLE_NONE)
        list->first = link.next;
    else
        metric_links_at(links, link.previous)->next = link.next;
    if (link.next == ETWC_TABLE_NONE)
        list->last = link.previous;
    else
        metric_links_at(links, link.next)->previous = link.previous;
}

#endif
