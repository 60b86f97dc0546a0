/*
 * From records to events.
 */
#ifndef ETL_VIEW_H
#define ETL_VIEW_H

#include "etl_merge.h"

/* Fills an event for each of the items, and keeps up to date which thread runs on
 * their processors. The items are of that file. */
void etl_view_items(const etwc_etl *etl, uint32_t file_index, const etl_item *items,
                    size_t count, etwc_event *events);
/* For an item that nobody wants: only who runs is kept up to date. */
void etl_view_pass(const etl_item *item);
/* The provider GUID of an item without building its view: 16 bytes. */
const uint8_t *etl_view_provider(const etwc_etl *etl, const etl_item *item);

#endif
