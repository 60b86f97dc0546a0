/*
 * Which image lies at an address: the images of every process, and of the kernel, by
 * time (event-decoding.md, 10.3).
 *
 * Filled in one pass over the image records, then asked; asking is safe from any
 * thread once it was finished. Addresses of the kernel belong to the drivers, which
 * records tell of with the process ids 0 and 4, whoever met them there.
 */
#ifndef ETWC_IMAGES_H
#define ETWC_IMAGES_H

#include "etwc_lifetime.h"

typedef struct etwc_images etwc_images;

/* `lifetimes` tell which process an id names; borrowed, and must be complete.
 * `pointer_size` is that of the kernel. NULL when memory is out. */
ETWC_NODISCARD etwc_images *etwc_images_new(const etwc_lifetimes *lifetimes,
                                            uint32_t pointer_size,
                                            uint64_t limit_bytes);
void etwc_images_free(etwc_images *images); /* accepts NULL */

/* Applies an image record; others are ignored. In time order. */
ETWC_NODISCARD etwc_status etwc_images_apply(etwc_images *images,
                                             const etwc_event *event,
                                             const etwc_kernel_record *record,
                                             etwc_error *err);
void etwc_images_finish(etwc_images *images);

/* The path (device form) of the image that lay at the address for that process at
 * that time, and how far into it the address is. NULL when nobody knows. */
const etwc_text_entry *etwc_images_find(const etwc_images *images, uint64_t address,
                                        uint32_t process_id, int64_t raw_time,
                                        uint64_t *out_offset);

#endif
