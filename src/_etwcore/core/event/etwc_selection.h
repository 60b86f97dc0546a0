/*
 * Which events a consumer wants. Every condition that is set must hold; a list
 * holds when it contains the event's value. An empty selection takes all.
 */
#ifndef ETWC_SELECTION_H
#define ETWC_SELECTION_H

#include "etwc_event.h"

/* Tells the process that owns an event (ETWC_NO_ID when nobody knows). */
typedef uint32_t (*etwc_owner_fn)(void *context, const etwc_event *event);

typedef struct etwc_selection {
    /* Borrowed lists; NULL with a count of 0 means "any". Unsorted is fine. */
    const etwc_guid *providers;
    size_t provider_count;
    const uint16_t *ids;
    size_t id_count;
    const uint8_t *opcodes;
    size_t opcode_count;
    const uint32_t *process_ids; /* of the record header */
    size_t process_id_count;
    const uint32_t *owner_ids; /* by owner_of */
    size_t owner_id_count;
    const uint32_t *thread_ids; /* of the record header */
    size_t thread_id_count;
    const uint32_t *processors;
    size_t processor_count;
    bool has_max_level;
    uint8_t max_level;    /* level <= max_level */
    uint64_t any_keyword; /* keyword & any_keyword != 0; 0 means "any" */
    bool has_start, has_end;
    int64_t start_filetime; /* start <= time < end */
    int64_t end_filetime;
    etwc_owner_fn owner_of; /* needed when owner_ids is set */
    void *owner_context;    /* borrowed for the life of the cursor */
} etwc_selection;

/* A private, fast form of a selection. */
typedef struct etwc_matcher etwc_matcher;

/* Owned; free with etwc_matcher_free. Copies all lists. */
ETWC_NODISCARD etwc_matcher *etwc_matcher_new(const etwc_selection *selection);
void etwc_matcher_free(etwc_matcher *matcher); /* accepts NULL */
/* True when nothing is asked for: every event matches. */
bool etwc_matcher_is_empty(const etwc_matcher *matcher);
bool etwc_matcher_matches(const etwc_matcher *matcher, const etwc_event *event);

/* Single conditions, for producers that can leave out work early. */
bool etwc_matcher_allows_provider(const etwc_matcher *matcher, const uint8_t guid[16]);
bool etwc_matcher_allows_processor(const etwc_matcher *matcher, uint32_t processor);

#endif
