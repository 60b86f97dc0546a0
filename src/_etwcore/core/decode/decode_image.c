/* Class Image: event-decoding, "Image (group 14)". */
#include "decode_layout.h"

/* Tables are laid out by hand. */
/* clang-format off */

#define IMAGE_HEAD                                      \
    SLOT(PTR, "ImageBase", HEX, image.base, 0)          \
    SLOT(PTR, "ImageSize", HEX, image.size, 0)          \
    SLOT(U32, "ProcessId", DEC, image.process_id, ETWC_HAS_PROCESS_ID)

#define IMAGE_STAMPS                                                   \
    SLOT(U32, "ImageChecksum", HEX, image.checksum, ETWC_HAS_CHECKSUM) \
    SLOT(U32, "TimeDateStamp", DEC, image.time_date_stamp, 0)

#define IMAGE_TAIL                                              \
    SLOT(PTR, "DefaultBase", HEX, image.default_base, 0)        \
    ROW(U32, "Reserved1", DEC)                                  \
    ROW(U32, "Reserved2", DEC)                                  \
    ROW(U32, "Reserved3", DEC)                                  \
    ROW(U32, "Reserved4", DEC)                                  \
    SLOT(WZ, "FileName", DEC, image.file_name, ETWC_HAS_NAME)

static const decode_row image_0[] = {
    SLOT(PTR, "BaseAddress", HEX, image.base, 0)
    SLOT(U32, "ModuleSize", HEX, image.size, 0)
    SLOT(WZ, "ImageFileName", DEC, image.file_name, ETWC_HAS_NAME)
};
static const decode_row image_1[] = {
    IMAGE_HEAD
    SLOT(WZ, "FileName", DEC, image.file_name, ETWC_HAS_NAME)
};
static const decode_row image_2[] = {
    IMAGE_HEAD IMAGE_STAMPS
    ROW(U32, "Reserved0", DEC)
    IMAGE_TAIL
};
static const decode_row image_3[] = {
    IMAGE_HEAD IMAGE_STAMPS
    ROW(U8, "SignatureLevel", DEC)
    ROW(U8, "SignatureType", DEC)
    ROW(U16, "Reserved0", DEC)
    IMAGE_TAIL
};
static const decode_form image_forms[] = {
    FORM(0, 0, image_0, 2)
    FORM(1, 1, image_1, 3)
    FORM(2, 2, image_2, 3)
    FORM(3, 3, image_3, 3)
};

static const decode_row kernel_base_2[] = {ROW(PTR, "ImageBase", HEX)};
static const decode_form kernel_base_forms[] = {FORM(2, 2, kernel_base_2, 0)};

static const decode_row hypercall_page_2[] = {ROW(PTR, "HypercallPageVa", HEX)};
static const decode_form hypercall_page_forms[] = {FORM(2, 2, hypercall_page_2, 0)};

/* ---- Steps of the loader --------------------------------------------------- */

static const decode_form loader_step_forms[] = {FORM_EMPTY(2, 2)};

static const decode_row loader_base_2[] = {ROW(U64, "BaseAddress", HEX)};
static const decode_form loader_base_forms[] = {FORM(2, 2, loader_base_2, 0)};

static const decode_row loader_error_2[] = {
    ROW(U64, "BaseAddress", HEX)
    ROW(U8, "ErrorOpcode", DEC)
    ROW(I8, "Code", DEC)
    ROW(WZ, "String", DEC)
};
static const decode_form loader_error_forms[] = {FORM(2, 2, loader_error_2, 0)};
static const decode_form loader_error_3_forms[] = {FORM(3, 3, loader_error_2, 0)};

static const decode_row new_dll_3[] = {
    ROW(PTR, "NewDllBase", HEX)
    ROW(PTR, "ParentDllBase", HEX)
    ROW(U32, "LoadReason", DEC)
    ROW(WZ, "FilePath", DEC)
};
static const decode_form new_dll_forms[] = {FORM(3, 3, new_dll_3, 0)};

static const decode_row loader_strings_3[] = {
    ROW(U64, "BaseAddress", HEX)
    ROW(U8, "ErrorOpcode", DEC)
    ROW(I8, "Code", DEC)
    ROW(WZ, "String1", DEC)
    ROW(WZ, "String2", DEC)
};
static const decode_form loader_strings_forms[] = {FORM(3, 3, loader_strings_3, 0)};

static const decode_row load_dll_3[] = {
    ROW(U32, "LdrLoadFlags", HEX)
    ROW(U32, "LdrSearchFlags", HEX)
    ROW(U32, "SearchInfo", HEX)
    ROW(U32, "LoadReason", DEC)
    ROW(WZ, "FullDllName", DEC)
};
static const decode_form load_dll_forms[] = {FORM(3, 3, load_dll_3, 0)};

static const decode_row search_path_3[] = {
    ROW(U32, "SearchInfo", HEX)
    ROW(WZ, "Cwd", DEC)
    ROW(WZ, "AppDir", DEC)
    ROW(WZ, "DllDir", DEC)
    ROW(WZ, "DllLoadDir", DEC)
};
static const decode_form search_path_forms[] = {FORM(3, 3, search_path_3, 0)};

#define LOADER_STEP(n) OPCODE(n, "Image/LoaderStep", loader_step_forms, NONE)
#define LOADER_BASE(n) OPCODE(n, "Image/LoaderBase", loader_base_forms, NONE)
#define LOADER_ERROR(n) OPCODE(n, "Image/LoaderError", loader_error_forms, NONE)
#define LOADER_ERROR_3(n) OPCODE(n, "Image/LoaderError", loader_error_3_forms, NONE)

static const decode_opcode image_opcodes[] = {
    OPCODE(2, "Image/Unload", image_forms, IMAGE_UNLOAD)
    OPCODE(3, "Image/DCStart", image_forms, IMAGE_RUNDOWN_START)
    OPCODE(4, "Image/DCEnd", image_forms, IMAGE_RUNDOWN_END)
    OPCODE(10, "Image/Load", image_forms, IMAGE_LOAD)
    OPCODE(33, "Image/KernelBase", kernel_base_forms, NONE)
    OPCODE(34, "Image/HypercallPage", hypercall_page_forms, NONE)
    LOADER_STEP(128) LOADER_STEP(129) LOADER_STEP(130) LOADER_STEP(131)
    LOADER_STEP(132) LOADER_STEP(133) LOADER_STEP(134) LOADER_STEP(135)
    LOADER_BASE(144) LOADER_BASE(145) LOADER_BASE(146) LOADER_BASE(147)
    LOADER_BASE(148) LOADER_BASE(149) LOADER_BASE(150)
    LOADER_ERROR(160) LOADER_ERROR(161) LOADER_ERROR(162) LOADER_ERROR(163)
    LOADER_ERROR(164)
    LOADER_ERROR_3(165) LOADER_ERROR_3(166) LOADER_ERROR_3(167) LOADER_ERROR_3(168)
    LOADER_ERROR_3(169) LOADER_ERROR_3(170) LOADER_ERROR_3(171) LOADER_ERROR_3(172)
    LOADER_ERROR_3(173) LOADER_ERROR_3(174)
    OPCODE(176, "Image/NewDll", new_dll_forms, NONE)
    OPCODE(177, "Image/NewDll", new_dll_forms, NONE)
    OPCODE(192, "Image/LoaderStrings", loader_strings_forms, NONE)
    OPCODE(193, "Image/LoaderStrings", loader_strings_forms, NONE)
    LOADER_ERROR_3(208) LOADER_ERROR_3(209) LOADER_ERROR_3(210) LOADER_ERROR_3(211)
    OPCODE(212, "Image/LoadDll", load_dll_forms, NONE)
    OPCODE(213, "Image/SearchPath", search_path_forms, NONE)
};

CLASS(image)

/* clang-format on */
