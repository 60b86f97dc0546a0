/* Known providers: the tables against the text of the list. */
#include "harness.h"

#include "etwc_provider.h"
#include "etwc_text.h"

typedef struct listed {
    uint8_t value;
    const char *name;
    const char *guid;
} listed;

static const listed classes[] = {
#define LISTED(symbol, group, name, guid) {group, name, guid},
    ETWC_KERNEL_CLASS_LIST(LISTED)
#undef LISTED
};

enum { CLASSES = sizeof classes / sizeof classes[0], GROUPS = 0x1F };

static etwc_guid
guid_of(const char *text)
{
    etwc_guid guid;
    CHECK(etwc_guid_from_text(text, strlen(text), &guid));
    return guid;
}

TEST(every_group_has_the_guid_of_the_list)
{
    static const etwc_guid zero;
    CHECK_EQ_U64(CLASSES, GROUPS + 1);
    for (unsigned group = 0; group < 256; group++) {
        const etwc_guid *found = etwc_kernel_group_guid((uint8_t)group);
        CHECK_EQ_U64(etwc_kernel_class_is_group((uint8_t)group), group < GROUPS);
        if (group < GROUPS) {
            etwc_guid wanted = guid_of(classes[group].guid);
            CHECK_EQ_U64(classes[group].value, group);
            CHECK_EQ_MEM(found->bytes, wanted.bytes, 16);
        } else {
            CHECK_EQ_MEM(found->bytes, zero.bytes, 16);
        }
    }
}

TEST(a_class_is_found_by_its_guid)
{
    for (size_t i = 0; i < CLASSES; i++) {
        etwc_guid guid = guid_of(classes[i].guid);
        CHECK_EQ_U64(etwc_kernel_class_of(&guid), classes[i].value);
        CHECK_EQ_STR(etwc_provider_name(&guid), classes[i].name);
        for (size_t byte = 0; byte < 16; byte++) {
            etwc_guid other = guid;
            other.bytes[byte] ^= 0x80;
            CHECK_EQ_U64(etwc_kernel_class_of(&other), ETWC_CLASS_NONE);
            CHECK_EQ_STR(etwc_provider_name(&other), NULL);
        }
    }
    etwc_guid manifest = guid_of("22fb2cd6-0e7b-422b-a0c7-2fad1fd0e716");
    CHECK_EQ_U64(etwc_kernel_class_of(&manifest), ETWC_CLASS_NONE);
    CHECK_EQ_STR(etwc_provider_name(&manifest), "Microsoft-Windows-Kernel-Process");
}

TEST(providers_are_found_by_name_in_any_case)
{
    etwc_guid guid;
    for (size_t i = 0; i < CLASSES; i++) {
        char name[64];
        etwc_guid wanted = guid_of(classes[i].guid);
        size_t n = strlen(classes[i].name);
        for (size_t at = 0; at <= n; at++) {
            char c = classes[i].name[at];
            if (c >= 'a' && c <= 'z' && at % 2 == 0)
                c = (char)(c - 'a' + 'A');
            else if (c >= 'A' && c <= 'Z')
                c = (char)(c - 'A' + 'a');
            name[at] = c;
        }
        CHECK(etwc_provider_find(name, &guid));
        CHECK_EQ_MEM(guid.bytes, wanted.bytes, 16);
        name[n - 1] = '!';
        CHECK(!etwc_provider_find(name, &guid));
    }
    CHECK(etwc_provider_find("microsoft-windows-kernel-FILE", &guid));
    etwc_guid wanted = guid_of("edd08927-9cc4-4e65-b970-c2560fb5c289");
    CHECK_EQ_MEM(guid.bytes, wanted.bytes, 16);
    CHECK(!etwc_provider_find("", &guid));
    CHECK(!etwc_provider_find("Process ", &guid));
    CHECK(!etwc_provider_find("Microsoft-Windows-Kernel", &guid));
}

TEST(the_listing_names_every_provider_once)
{
    etwc_guid guid, other, found;
    const char *name;
    const char *same;
    size_t count = 0;
    for (; (name = etwc_provider_at(count, &guid)) != NULL; count++) {
        CHECK(etwc_provider_find(name, &found));
        CHECK_EQ_MEM(found.bytes, guid.bytes, 16);
        CHECK_EQ_STR(etwc_provider_name(&guid), name);
        for (size_t i = 0; i < count; i++) {
            same = etwc_provider_at(i, &other);
            CHECK(strcmp(same, name) != 0);
            CHECK(!etwc_guid_equal(&guid, &other));
        }
    }
    CHECK(count > CLASSES);
    CHECK(etwc_provider_at(count + 1, &guid) == NULL);
    CHECK(etwc_provider_at(SIZE_MAX, &guid) == NULL);
}

HARNESS_MAIN
