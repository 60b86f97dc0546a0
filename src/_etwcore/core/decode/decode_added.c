/* Records that merging tools add to a file: event-decoding, "Maps and machine
 * facts". They carry classic full headers and no kernel class. */
#include "decode_layout.h"

/* Tables are laid out by hand. */
/* clang-format off */

/* ---- ImageID --------------------------------------------------------------- */

static const decode_row image_info[] = {
    ROW(PTR, "ImageBase", HEX)
    ROW(PTR, "ImageSize", HEX)
    ROW(U32, "ProcessId", DEC)
    ROW(U32, "TimeDateStamp", DEC)
    ROW(WZ, "OriginalFileName", DEC)
};
static const decode_row image_debug_id[] = {
    ROW(PTR, "ImageBase", HEX)
    ROW(U32, "ProcessId", DEC)
    ROW(GUID, "GuidSig", DEC)
    ROW(U32, "Age", DEC)
    ROW(AZ, "PdbFileName", DEC)
};
static const decode_row image_plain[] = {
    ROW(PTR, "ImageBase", HEX)
    ROW(U32, "ProcessId", DEC)
};
static const decode_row image_portable[] = {
    ROW(PTR, "ImageBase", HEX)
    ROW(U32, "ProcessId", DEC)
    ROW(U32, "TimeDateStamp", DEC)
    ROW(U16, "MajorVersion", DEC)
    ROW(U16, "MinorVersion", DEC)
};
static const decode_row image_error[] = {ROW(WZ, "ErrorText", DEC)};
static const decode_row image_version[] = {
    ROW(U32, "ImageSize", HEX)
    ROW(U32, "TimeDateStamp", DEC)
    ROW(WZ, "OrigFileName", DEC)
    ROW(WZ, "FileDescription", DEC)
    ROW(WZ, "FileVersion", DEC)
    ROW(WZ, "BinFileVersion", DEC)
    ROW(WZ, "VerLanguage", DEC)
    ROW(WZ, "ProductName", DEC)
    ROW(WZ, "CompanyName", DEC)
    ROW(WZ, "ProductVersion", DEC)
    ROW(WZ, "FileId", DEC)
    ROW(WZ, "ProgramId", DEC)
};
static const decode_form image_info_forms[] = {FORM(0, 2, image_info, 0)};
static const decode_form image_debug_id_forms[] = {FORM(0, 2, image_debug_id, 0)};
static const decode_form image_plain_forms[] = {FORM(0, 2, image_plain, 0)};
static const decode_form image_portable_forms[] = {FORM(0, 2, image_portable, 0)};
static const decode_form image_error_forms[] = {FORM(0, 2, image_error, 0)};
static const decode_form image_version_forms[] = {FORM(0, 2, image_version, 0)};

static const decode_opcode image_id_opcodes[] = {
    OPCODE(0, "ImageID/Info", image_info_forms, NONE)
    OPCODE(32, "ImageID/DbgID_None", image_plain_forms, NONE)
    OPCODE_RAW(34, "ImageID/DbgID_Misc")
    OPCODE(36, "ImageID/DbgID_RSDS", image_debug_id_forms, NONE)
    OPCODE(37, "ImageID/DbgID_ILRSDS", image_debug_id_forms, NONE)
    OPCODE(38, "ImageID/DbgID_PPDB", image_portable_forms, NONE)
    OPCODE_RAW(39, "ImageID/39")
    OPCODE(40, "ImageID/DbgID_Deterministic", image_plain_forms, NONE)
    OPCODE(41, "ImageID/Error", image_error_forms, NONE)
    OPCODE(64, "ImageID/FileVersion", image_version_forms, NONE)
};
CLASS(image_id)

/* ---- SystemConfigEx -------------------------------------------------------- */

static const decode_row build_info[] = {
    ROW(FILETIME, "InstallDate", DEC)
    ROW(WZ, "BuildLab", DEC)
    ROW(WZ, "ProductName", DEC)
};
static const decode_row system_paths[] = {
    ROW(WZ, "SystemDirectory", DEC)
    ROW(WZ, "SystemWindowsDirectory", DEC)
};
static const decode_row unknown_volume[] = {ROW(WZ, "VolumePath", DEC)};
static const decode_row volume_mapping[] = {
    ROW(WZ, "NtPath", DEC)
    ROW(WZ, "DosPath", DEC)
};
static const decode_row os_version[] = {
    ROW(U16, "Revision", DEC)
    ROW(U16, "Build", DEC)
    ROW(U16, "Minor", DEC)
    ROW(U16, "Major", DEC)
    ROW(U32, "Extra", DEC)
    ROW(U32, "Extra2", DEC)
};
static const decode_form build_info_forms[] = {FORM(0, 2, build_info, 0)};
static const decode_form system_paths_forms[] = {FORM(0, 2, system_paths, 0)};
static const decode_form unknown_volume_forms[] = {FORM(0, 2, unknown_volume, 0)};
static const decode_form volume_mapping_forms[] = {FORM(0, 2, volume_mapping, 0)};
static const decode_form os_version_forms[] = {FORM(0, 2, os_version, 0)};

static const decode_opcode system_config_ex_opcodes[] = {
    OPCODE(32, "SystemConfigEx/BuildInfo", build_info_forms, NONE)
    OPCODE(33, "SystemConfigEx/SystemPaths", system_paths_forms, NONE)
    OPCODE(34, "SystemConfigEx/UnknownVolume", unknown_volume_forms, NONE)
    OPCODE(35, "SystemConfigEx/VolumeMapping", volume_mapping_forms, NONE)
    OPCODE_RAW(36, "SystemConfigEx/NetworkInterface")
    OPCODE(37, "SystemConfigEx/OSVersion", os_version_forms, NONE)
};
CLASS(system_config_ex)

/* ---- WinSAT ---------------------------------------------------------------- */

/* The data is LZNT1 of a UTF-16 text of that size. */
static const decode_row assessment[] = {
    ROW(U32, "Format", DEC)
    ROW(U32, "UncompressedSize", DEC)
    REST(BYTES, "Data", HEX)
};
static const decode_form assessment_forms[] = {FORM(0, 2, assessment, 0)};

static const decode_opcode win_sat_opcodes[] = {
    OPCODE(33, "WinSAT/WinSPR", assessment_forms, NONE)
    OPCODE(35, "WinSAT/Metrics", assessment_forms, NONE)
    OPCODE(37, "WinSAT/SystemConfig", assessment_forms, NONE)
};
CLASS(win_sat)

/* clang-format on */
