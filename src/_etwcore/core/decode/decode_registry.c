/* Class Registry: event-decoding, "Registry (09)". */
#include "decode_layout.h"

/* Tables are laid out by hand. */
/* clang-format off */

#define STATUS_HEAD                 \
    ROW(PTR, "Status", STATUS)      \
    ROW(PTR, "KeyHandle", HEX)      \
    ROW(I64, "ElapsedTime", DEC)
static const decode_row registry_0[] = {STATUS_HEAD ROW(WZ, "KeyName", DEC)};
static const decode_row registry_1[] = {
    STATUS_HEAD
    ROW(U32, "Index", DEC)
    ROW(WZ, "KeyName", DEC)
};
static const decode_row registry_2[] = {
    ROW(TIME, "InitialTime", DEC)
    ROW(U32, "Status", STATUS)
    ROW(U32, "Index", DEC)
    ROW(PTR, "KeyHandle", HEX)
    ROW(WZ, "KeyName", DEC)
};
static const decode_form key_forms[] = { /* 10 to 21 */
    FORM(0, 0, registry_0, 0)
    FORM(1, 1, registry_1, 0)
    FORM(2, 2, registry_2, 0)
};
static const decode_form block_forms[] = { /* 22 */
    FORM(1, 1, registry_1, 0)
    FORM(2, 2, registry_2, 0)
};
static const decode_form later_forms[] = {FORM(2, 2, registry_2, 0)};

static const decode_row counters_2[] = {FIXED(U64, "Counter", DEC, 11)};
static const decode_row config_2[] = {ROW(U32, "CurrentControlSet", DEC)};
static const decode_row hive_init_2[] = {
    ROW(PTR, "Hive", HEX)
    ROW(U32, "OperationType", DEC)
    ROW(U32, "PoolTag", TAG)
    ROW(U32, "Size", DEC)
    ROW(WZ, "FileName", DEC)
};
static const decode_row hive_destroy_2[] = {
    ROW(PTR, "Hive", HEX)
    ROW(WZ, "FileName", DEC)
    ROW(WZ, "Path", DEC)
};
static const decode_row hive_link_2[] = {ROW(PTR, "Hive", HEX) ROW(WZ, "Path", DEC)};
static const decode_row hive_rundown_2[] = {
    ROW(U64, "Size", DEC)
    ROW(PTR, "Hive", HEX)
    ROW(U32, "LoadedKeys", DEC)
    ROW(WZ, "FileName", DEC)
    ROW(WZ, "LinkPath", DEC)
};
static const decode_row hive_dirty_2[] = {
    ROW(PTR, "Hive", HEX)
    ROW(WZ, "LinkPath", DEC)
    ROW(U32, "Reason", DEC)
};
static const decode_row notification_2[] = {
    ROW(PTR, "Notification", HEX)
    ROW(PTR, "KeyHandle", HEX)
    ROW(U8, "Type", DEC)
    ROW(U8, "WatchSubtree", DEC)
    ROW(U8, "Primary", DEC)
};
static const decode_form counters_forms[] = {FORM(2, 2, counters_2, 0)};
static const decode_form config_forms[] = {FORM(2, 2, config_2, 0)};
static const decode_form hive_init_forms[] = {FORM(2, 2, hive_init_2, 0)};
static const decode_form hive_destroy_forms[] = {FORM(2, 2, hive_destroy_2, 0)};
static const decode_form hive_link_forms[] = {FORM(2, 2, hive_link_2, 0)};
static const decode_form hive_rundown_forms[] = {FORM(2, 2, hive_rundown_2, 0)};
static const decode_form hive_dirty_forms[] = {FORM(2, 2, hive_dirty_2, 0)};
static const decode_form notification_forms[] = {FORM(2, 2, notification_2, 0)};

static const decode_opcode registry_opcodes[] = {
    OPCODE(10, "Registry/Create", key_forms, NONE)
    OPCODE(11, "Registry/Open", key_forms, NONE)
    OPCODE(12, "Registry/Delete", key_forms, NONE)
    OPCODE(13, "Registry/Query", key_forms, NONE)
    OPCODE(14, "Registry/SetValue", key_forms, NONE)
    OPCODE(15, "Registry/DeleteValue", key_forms, NONE)
    OPCODE(16, "Registry/QueryValue", key_forms, NONE)
    OPCODE(17, "Registry/EnumerateKey", key_forms, NONE)
    OPCODE(18, "Registry/EnumerateValueKey", key_forms, NONE)
    OPCODE(19, "Registry/QueryMultipleValue", key_forms, NONE)
    OPCODE(20, "Registry/SetInformation", key_forms, NONE)
    OPCODE(21, "Registry/Flush", key_forms, NONE)
    OPCODE(22, "Registry/KCBCreate", block_forms, NONE)
    OPCODE(23, "Registry/KCBDelete", later_forms, NONE)
    OPCODE(24, "Registry/KCBRundownBegin", later_forms, NONE)
    OPCODE(25, "Registry/KCBRundownEnd", later_forms, NONE)
    OPCODE(26, "Registry/Virtualize", later_forms, NONE)
    OPCODE(27, "Registry/Close", later_forms, NONE)
    OPCODE(28, "Registry/SetSecurity", later_forms, NONE)
    OPCODE(29, "Registry/QuerySecurity", later_forms, NONE)
    /* Sources disagree on the layout of these three. */
    OPCODE_RAW(30, "Registry/Commit")
    OPCODE_RAW(31, "Registry/Prepare")
    OPCODE_RAW(32, "Registry/Rollback")
    OPCODE_RAW(33, "Registry/MountHive")
    OPCODE(34, "Registry/Counters", counters_forms, NONE)
    OPCODE(35, "Registry/Config", config_forms, NONE)
    OPCODE(36, "Registry/HiveInitialize", hive_init_forms, NONE)
    OPCODE(37, "Registry/HiveDestroy", hive_destroy_forms, NONE)
    OPCODE(38, "Registry/HiveLink", hive_link_forms, NONE)
    OPCODE(39, "Registry/HiveRundown", hive_rundown_forms, NONE)
    OPCODE(40, "Registry/HiveDirty", hive_dirty_forms, NONE)
    OPCODE(48, "Registry/ChangeNotification", notification_forms, NONE)
};

CLASS(registry)

/* clang-format on */
