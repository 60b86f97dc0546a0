/* Tables of names for the views of decode_layout.h. */
#ifndef DECODE_SYMBOLS_H
#define DECODE_SYMBOLS_H

#include "etwc_value.h"

extern const etwc_symbols decode_process_flags;
extern const etwc_symbols decode_exit_statuses;
extern const etwc_symbols decode_thread_states;
extern const etwc_symbols decode_wait_reasons;
extern const etwc_symbols decode_wait_modes;
extern const etwc_symbols decode_packet_types;
extern const etwc_symbols decode_adjust_reasons;
extern const etwc_symbols decode_ready_flags;
extern const etwc_symbols decode_irp_flags;
extern const etwc_symbols decode_allocation_flags;
extern const etwc_symbols decode_reset_modes;
extern const etwc_symbols decode_elevation_types;
extern const etwc_symbols decode_pool_types;
extern const etwc_symbols decode_architectures;

#endif
