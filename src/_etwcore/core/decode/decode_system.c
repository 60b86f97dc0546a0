/* Class SystemConfig: event-decoding, "SystemConfig (0B)". */
#include "decode_layout.h"

/* Tables are laid out by hand. */
/* clang-format off */

/* ---- Machine --------------------------------------------------------------- */

#define CPU_HEAD                                                            \
    SLOT(U32, "MHz", DEC, cpu.mhz, 0)                                       \
    SLOT(U32, "NumberOfProcessors", DEC, cpu.processors, 0)                 \
    SLOT(U32, "MemSize", DEC, cpu.memory_mb, 0)                             \
    SLOT(U32, "PageSize", DEC, cpu.page_size, 0)                            \
    SLOT(U32, "AllocationGranularity", DEC, cpu.allocation_granularity, 0)  \
    FIXED_SLOT(WC, "ComputerName", 256, cpu.computer_name, 0)
#define CPU_DOMAIN(units)                                   \
    FIXED_SLOT(WC, "DomainName", units, cpu.domain_name, 0) \
    ROW(PTR, "HyperThreadingFlag", HEX)
static const decode_row cpu_0[] = {CPU_HEAD CPU_DOMAIN(132)};
static const decode_row cpu_2[] = {CPU_HEAD CPU_DOMAIN(134)};
static const decode_row cpu_3[] = {
    CPU_HEAD CPU_DOMAIN(134)
    ROW(PTR, "HighestUserAddress", HEX)
    ROW(U16, "ProcessorArchitecture", ARCHITECTURE)
    ROW(U16, "ProcessorLevel", DEC)
    ROW(U16, "ProcessorRevision", HEX)
    ROW(U8, "PaeEnabled", DEC)
    ROW(U8, "NxEnabled", DEC)
    ROW(U32, "MemorySpeed", DEC)
};
enum { CPU_REQUIRED = 5 };
static const decode_form cpu_forms[] = {
    FORM(0, 1, cpu_0, CPU_REQUIRED)
    FORM(2, 2, cpu_2, CPU_REQUIRED)
    FORM(3, 3, cpu_3, CPU_REQUIRED)
};

static const decode_row platform_2[] = {
    ROW(WZ, "SystemManufacturer", DEC)
    ROW(WZ, "SystemProductName", DEC)
    ROW(WZ, "BiosDate", DEC)
    ROW(WZ, "BiosVersion", DEC)
};
static const decode_form platform_forms[] = {FORM(2, 2, platform_2, 0)};

static const decode_row processor_2[] = {
    ROW(U32, "ProcessorIndex", DEC)
    ROW(U32, "FeatureSet", HEX)
    ROW(U32, "ProcessorSpeed", DEC)
    FIXED(WC, "ProcessorName", DEC, 64)
    FIXED(WC, "VendorIdentifier", DEC, 16)
    FIXED(WC, "ProcessorIdentifier", DEC, 128)
};
static const decode_form processor_forms[] = {FORM(2, 2, processor_2, 0)};

static const decode_row numa_node[] = {
    ROW(U64, "Mask", HEX)
    ROW(U16, "Group", DEC)
    FIXED(U8, "Reserved", DEC, 6)
};
static const decode_row numa_2[] = {
    ROW(U32, "NodeCount", DEC)
    STRUCTS("Nodes", numa_node, 0)
};
static const decode_form numa_forms[] = {FORM(2, 2, numa_2, 0)};

static const decode_row groups_2[] = {
    ROW(U32, "Count", DEC)
    COUNTED(PTR, "Affinity", HEX, 0)
};
static const decode_form groups_forms[] = {FORM(2, 2, groups_2, 0)};

static const decode_row numbers_2[] = {
    ROW(U32, "Count", DEC)
    COUNTED(U32, "Number", DEC, 0)
};
static const decode_form numbers_forms[] = {FORM(2, 2, numbers_2, 0)};

static const decode_row power_0[] = {
    ROW(U8, "S1", DEC)
    ROW(U8, "S2", DEC)
    ROW(U8, "S3", DEC)
    ROW(U8, "S4", DEC)
    ROW(U8, "S5", DEC)
    ROW(U8, "Pad1", DEC)
    ROW(U8, "Pad2", DEC)
    ROW(U8, "Pad3", DEC)
};
static const decode_form power_forms[] = {FORM(0, 2, power_0, 0)};

static const decode_row irq_head_0[] = {
    ROW(U64, "IRQAffinity", HEX)
    ROW(U32, "IRQNum", DEC)
    ROW(U32, "DeviceDescriptionLen", DEC)
    ROW(WZ, "DeviceDescription", DEC)
};
static const decode_row irq_3[] = {
    ROW(U64, "IRQAffinity", HEX)
    ROW(U16, "IRQGroup", DEC)
    ROW(U16, "Reserved", DEC)
    ROW(U32, "IRQNum", DEC)
    ROW(U32, "DeviceDescriptionLen", DEC)
    ROW(WZ, "DeviceDescription", DEC)
};
static const decode_form irq_forms[] = {FORM(0, 2, irq_head_0, 0) FORM(3, 3, irq_3, 0)};

/* ---- Disks ----------------------------------------------------------------- */

static const decode_row physical_disk_0[] = {
    ROW(U32, "DiskNumber", DEC)
    ROW(U32, "BytesPerSector", DEC)
    ROW(U32, "SectorsPerTrack", DEC)
    ROW(U32, "TracksPerCylinder", DEC)
    ROW(U64, "Cylinders", DEC)
    ROW(U32, "SCSIPort", DEC)
    ROW(U32, "SCSIPath", DEC)
    ROW(U32, "SCSITarget", DEC)
    ROW(U32, "SCSILun", DEC)
    FIXED(WC, "Manufacturer", DEC, 256)
    ROW(U32, "PartitionCount", DEC)
    ROW(U8, "WriteCacheEnabled", DEC)
    ROW(U8, "Pad", DEC)
    FIXED(WC, "BootDriveLetter", DEC, 3)
    FIXED(WC, "Spare", DEC, 2)
};
static const decode_form physical_disk_forms[] = {FORM(0, 2, physical_disk_0, 0)};

#define LOGICAL_DISK                        \
    ROW(U64, "StartOffset", DEC)            \
    ROW(U64, "PartitionSize", DEC)          \
    ROW(U32, "DiskNumber", DEC)             \
    ROW(U32, "Size", DEC)                   \
    ROW(U32, "DriveType", DEC)              \
    FIXED(WC, "DriveLetterString", DEC, 4)  \
    ROW(U32, "Pad1", DEC)                   \
    ROW(U32, "PartitionNumber", DEC)        \
    ROW(U32, "SectorsPerCluster", DEC)      \
    ROW(U32, "BytesPerSector", DEC)         \
    ROW(U32, "Pad2", DEC)                   \
    ROW(I64, "NumberOfFreeClusters", DEC)   \
    ROW(I64, "TotalNumberOfClusters", DEC)  \
    FIXED(WC, "FileSystem", DEC, 16)        \
    ROW(U32, "VolumeExt", DEC)
static const decode_row logical_disk_0[] = {LOGICAL_DISK};
static const decode_row logical_disk_2[] = {LOGICAL_DISK ROW(U32, "Pad3", DEC)};
static const decode_form logical_disk_forms[] = {
    FORM(0, 1, logical_disk_0, 0)
    FORM(2, 2, logical_disk_2, 0)
};

static const decode_row optical_media_2[] = {
    ROW(U16, "DiskNumber", DEC)
    ROW(U16, "BusType", DEC)
    ROW(U16, "DeviceType", DEC)
    ROW(U16, "MediaType", DEC)
    ROW(U64, "StartingOffset", DEC)
    ROW(U64, "Size", DEC)
    ROW(U64, "NumberOfFreeBlocks", DEC)
    ROW(U64, "TotalNumberOfBlocks", DEC)
    ROW(U64, "NextWritableAddress", DEC)
    ROW(U32, "NumberOfSessions", DEC)
    ROW(U32, "NumberOfTracks", DEC)
    ROW(U32, "BytesPerSector", DEC)
    ROW(U16, "DiscStatus", DEC)
    ROW(U16, "LastSessionStatus", DEC)
    ROW(WZ, "DriveLetter", DEC)
    ROW(WZ, "FileSystemName", DEC)
    ROW(AZ, "DeviceName", DEC)
    ROW(AZ, "ManufacturerName", DEC)
};
static const decode_form optical_media_forms[] = {FORM(2, 2, optical_media_2, 0)};

/* Fourteen u64 and 23 u32 whose meaning nobody publishes. */
static const decode_row defragmentation_2[] = {
    FIXED(U64, "Counters64", DEC, 14)
    FIXED(U32, "Counters32", DEC, 23)
    ROW(GUID, "VolumeId", DEC)
    ROW(WZ, "VolumePathNames", DEC)
};
static const decode_form defragmentation_forms[] = {FORM(2, 2, defragmentation_2, 0)};

static const decode_row channel_2[] = {
    ROW(U32, "TargetId", DEC)
    ROW(U32, "DeviceType", DEC)
    ROW(U32, "DeviceTimingMode", HEX)
    ROW(U32, "LocationInformationLen", DEC)
    ROW(WZ, "LocationInformation", DEC)
};
static const decode_form channel_forms[] = {FORM(2, 2, channel_2, 0)};

/* ---- Network, video -------------------------------------------------------- */

static const decode_row card_0[] = {
    FIXED(WC, "NICName", DEC, 256)
    ROW(U32, "Index", DEC)
    ROW(U32, "PhysicalAddrLen", DEC)
    FIXED(WC, "PhysicalAddr", DEC, 8)
    ROW(U32, "Size", DEC)
    ROW(I32, "IpAddress", DEC)
    ROW(I32, "SubnetMask", DEC)
    ROW(I32, "DhcpServer", DEC)
    ROW(I32, "Gateway", DEC)
    ROW(I32, "PrimaryWins", DEC)
    ROW(I32, "SecondaryWins", DEC)
    ROW(I32, "Dns1", DEC)
    ROW(I32, "Dns2", DEC)
    ROW(I32, "Dns3", DEC)
    ROW(I32, "Dns4", DEC)
    ROW(U32, "Data", DEC)
};
static const decode_row card_2[] = {
    ROW(U64, "PhysicalAddr", HEX) /* the bytes of the address, first one lowest */
    ROW(U32, "PhysicalAddrLen", DEC)
    ROW(U32, "Ipv4Index", DEC)
    ROW(U32, "Ipv6Index", DEC)
    ROW(WZ, "NICDescription", DEC)
    ROW(WZ, "IpAddresses", DEC)
    ROW(WZ, "DnsServerAddresses", DEC)
};
static const decode_form card_forms[] = {FORM(0, 1, card_0, 0) FORM(2, 2, card_2, 0)};

static const decode_row tcp_settings_2[] = {
    ROW(U32, "TcbTablePartitions", DEC)
    ROW(U32, "MaxHashTableSize", DEC)
    ROW(U32, "MaxUserPort", DEC)
    ROW(U32, "TcpTimedWaitDelay", DEC)
};
static const decode_form tcp_settings_forms[] = {FORM(2, 2, tcp_settings_2, 0)};

static const decode_row video_0[] = {
    ROW(U32, "MemorySize", DEC)
    ROW(U32, "XResolution", DEC)
    ROW(U32, "YResolution", DEC)
    ROW(U32, "BitsPerPixel", DEC)
    ROW(U32, "VRefresh", DEC)
    FIXED(WC, "ChipType", DEC, 256)
    FIXED(WC, "DACType", DEC, 256)
    FIXED(WC, "AdapterString", DEC, 256)
    FIXED(WC, "BiosString", DEC, 256)
    FIXED(WC, "DeviceId", DEC, 256)
    ROW(U32, "StateFlags", HEX)
};
static const decode_form video_forms[] = {FORM(0, 2, video_0, 0)};

static const decode_row dpi_2[] = {
    ROW(U32, "MachineDPI", DEC)
    ROW(U32, "UserDPI", DEC)
};
static const decode_form dpi_forms[] = {FORM(2, 2, dpi_2, 0)};

/* ---- Services, devices ----------------------------------------------------- */

#define SERVICE_2                                                           \
    SLOT(U32, "ProcessId", DEC, service.process_id, 0)                      \
    ROW(U32, "ServiceState", DEC)                                           \
    SLOT(U32, "SubProcessTag", HEX, service.sub_process_tag, ETWC_HAS_TAG)  \
    SLOT(WZ, "ServiceName", DEC, service.service_name, ETWC_HAS_NAME)       \
    SLOT(WZ, "DisplayName", DEC, service.display_name, 0)                   \
    SLOT(WZ, "ProcessName", DEC, service.process_name, 0)
static const decode_row service_0[] = {
    FIXED_SLOT(WC, "ServiceName", 34, service.service_name, ETWC_HAS_NAME)
    FIXED_SLOT(WC, "DisplayName", 256, service.display_name, 0)
    FIXED_SLOT(WC, "ProcessName", 34, service.process_name, 0)
    SLOT(U32, "ProcessId", DEC, service.process_id, 0)
};
static const decode_row service_2[] = {SERVICE_2};
static const decode_row service_3[] = {
    SERVICE_2
    ROW(WZ, "LoadOrderGroup", DEC)
    ROW(WZ, "SvchostGroup", DEC)
};
static const decode_form service_forms[] = {
    FORM(0, 1, service_0, 4)
    FORM(2, 2, service_2, 4)
    FORM(3, 3, service_3, 4)
};

#define DEVICE_0                            \
    ROW(U32, "IDLength", DEC)               \
    ROW(U32, "DescriptionLength", DEC)      \
    ROW(U32, "FriendlyNameLength", DEC)     \
    ROW(WZ, "DeviceID", DEC)                \
    ROW(WZ, "DeviceDescription", DEC)       \
    ROW(WZ, "FriendlyName", DEC)
#define DEVICE_COUNTS                       \
    ROW(GUID, "ClassGuid", DEC)             \
    ROW(U32, "UpperFiltersCount", DEC)      \
    ROW(U32, "LowerFiltersCount", DEC)
#define DEVICE_NAMES                        \
    ROW(WZ, "DeviceID", DEC)                \
    ROW(WZ, "DeviceDescription", DEC)       \
    ROW(WZ, "FriendlyName", DEC)            \
    ROW(WZ, "PdoName", DEC)                 \
    ROW(WZ, "ServiceName", DEC)             \
    COUNTED(WZ, "UpperFilters", DEC, 1)     \
    COUNTED(WZ, "LowerFilters", DEC, 2)
static const decode_row device_0[] = {DEVICE_0};
static const decode_row device_3[] = {DEVICE_0 ROW(WZ, "PdoName", DEC)};
static const decode_row device_4[] = {DEVICE_COUNTS DEVICE_NAMES};
static const decode_row device_5[] = {
    DEVICE_COUNTS
    ROW(U32, "DevStatus", HEX)
    ROW(U32, "DevProblem", DEC)
    DEVICE_NAMES
};
static const decode_form device_forms[] = {
    FORM(0, 2, device_0, 0)
    FORM(3, 3, device_3, 0)
    FORM(4, 4, device_4, 0)
    FORM(5, 5, device_5, 0)
};

/* ---- System ---------------------------------------------------------------- */

static const decode_row integrity_2[] = {ROW(U32, "CodeIntegrityInfo", HEX)};
static const decode_row machine_id_2[] = {ROW(GUID, "MachineId", DEC)};
static const decode_row family_2[] = {
    ROW(U64, "UAPInfo", HEX)
    ROW(U32, "DeviceFamily", DEC)
    ROW(U32, "DeviceForm", DEC)
};
static const decode_row flights_2[] = {
    ROW(WZ, "UpdateId", DEC)
    ROW(WZ, "FlightIdList", DEC)
};
static const decode_row virtualization_2[] = {
    ROW(U8, "VbsEnabled", DEC)
    ROW(U8, "HvciEnabled", DEC)
    ROW(U8, "HyperVisorEnabled", DEC)
    ROW(U8, "Reserved", DEC)
};
static const decode_row boot_2[] = {
    ROW(U64, "BootFlags", HEX)
    ROW(U32, "FirmwareType", DEC)
    ROW(U8, "SecureBootEnabled", DEC)
    ROW(U8, "SecureBootCapable", DEC)
    ROW(U8, "Reserved1", DEC)
    ROW(U8, "Reserved2", DEC)
};
static const decode_form integrity_forms[] = {FORM(2, 2, integrity_2, 0)};
static const decode_form machine_id_forms[] = {FORM(2, 2, machine_id_2, 0)};
static const decode_form family_forms[] = {FORM(2, 2, family_2, 0)};
static const decode_form flights_forms[] = {FORM(2, 2, flights_2, 0)};
static const decode_form virtualization_forms[] = {FORM(2, 2, virtualization_2, 0)};
static const decode_form boot_forms[] = {FORM(2, 2, boot_2, 0)};

/* Fifteen, twelve and seven strings without published names. */
static const decode_row mobile_2[] = {FIXED(WZ, "Text", DEC, 15)};
static const decode_row mobile_3[] = {FIXED(WZ, "Text", DEC, 12)};
static const decode_row mobile_4[] = {FIXED(WZ, "Text", DEC, 7)};
static const decode_form mobile_forms[] = {
    FORM(2, 2, mobile_2, 0)
    FORM(3, 3, mobile_3, 0)
    FORM(4, 4, mobile_4, 0)
};

static const decode_opcode system_config_opcodes[] = {
    OPCODE(10, "SystemConfig/CPU", cpu_forms, SYSTEM_CPU)
    OPCODE(11, "SystemConfig/PhyDisk", physical_disk_forms, NONE)
    OPCODE(12, "SystemConfig/LogDisk", logical_disk_forms, NONE)
    OPCODE(13, "SystemConfig/NIC", card_forms, NONE)
    OPCODE(14, "SystemConfig/Video", video_forms, NONE)
    OPCODE(15, "SystemConfig/Services", service_forms, SERVICE)
    OPCODE(16, "SystemConfig/Power", power_forms, NONE)
    OPCODE(17, "SystemConfig/Network", tcp_settings_forms, NONE)
    OPCODE(18, "SystemConfig/OpticalMedia", optical_media_forms, NONE)
    OPCODE_RAW(19, "SystemConfig/PhyDiskEx")
    OPCODE(21, "SystemConfig/IRQ", irq_forms, NONE)
    OPCODE(22, "SystemConfig/PnP", device_forms, NONE)
    OPCODE(23, "SystemConfig/IDEChannel", channel_forms, NONE)
    OPCODE(24, "SystemConfig/NumaNode", numa_forms, NONE)
    OPCODE(25, "SystemConfig/Platform", platform_forms, NONE)
    OPCODE(26, "SystemConfig/ProcessorGroup", groups_forms, NONE)
    OPCODE(27, "SystemConfig/ProcessorNumber", numbers_forms, NONE)
    OPCODE(28, "SystemConfig/DPI", dpi_forms, NONE)
    OPCODE(29, "SystemConfig/CodeIntegrity", integrity_forms, NONE)
    OPCODE(30, "SystemConfig/TelemetryInfo", machine_id_forms, NONE)
    OPCODE(31, "SystemConfig/Defragmentation", defragmentation_forms, NONE)
    OPCODE(32, "SystemConfig/MobilePlatform", mobile_forms, NONE)
    OPCODE(33, "SystemConfig/DeviceFamily", family_forms, NONE)
    OPCODE(34, "SystemConfig/FlightIds", flights_forms, NONE)
    OPCODE(35, "SystemConfig/Processors", processor_forms, NONE)
    OPCODE(36, "SystemConfig/Virtualization", virtualization_forms, NONE)
    OPCODE(37, "SystemConfig/Boot", boot_forms, NONE)
};

CLASS(system_config)

/* clang-format on */
