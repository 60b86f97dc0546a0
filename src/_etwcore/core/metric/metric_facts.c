/* The first record that tells something is believed; names can only get longer. */
#include "metric_facts.h"

#include "etwc_text.h"

/* ExitStatus of a process that has not ended. */
#define FACTS_STILL_ACTIVE 259u

/* The name in an end record can be cut to 14 characters: keep the longer one. */
static bool
set_name(etwc_process_facts *facts, etwc_strings *strings, etwc_span name)
{
    if (name.len == 0)
        return true;
    if (facts->name != NULL && facts->name->length >= name.len)
        return true;
    const etwc_text_entry *text = etwc_strings_add_latin1(strings, name);
    if (text != NULL)
        facts->name = text;
    return text != NULL;
}

static bool
set_text(const etwc_text_entry **place, etwc_strings *strings, etwc_span text)
{
    if (*place != NULL && (text.len == 0 || (*place)->length != 0))
        return true;
    const etwc_text_entry *entry = etwc_strings_add_utf16(strings, text);
    if (entry != NULL)
        *place = entry;
    return entry != NULL;
}

/* The file of the program, which is named after it; a name that is as long as the
 * kernel's short form may be that form. */
static bool
set_path(etwc_process_facts *facts, etwc_strings *strings, etwc_span path)
{
    if (path.len < 2)
        return true;
    size_t at = path.len & ~(size_t)1;
    while (at >= 2 && etwc_load_u16(path.ptr + at - 2) != '\\')
        at -= 2;
    etwc_span base = {path.ptr + at, path.len - at};
    if (!set_text(&facts->image_path, strings, path))
        return false;
    const etwc_text_entry *name = etwc_strings_add_utf16(strings, base);
    if (name == NULL)
        return false;
    if (facts->name == NULL || facts->name->length < name->length)
        facts->name = name;
    return true;
}

static bool
set_sid(etwc_process_facts *facts, etwc_strings *strings, etwc_span sid)
{
    char text[ETWC_SID_TEXT_SIZE];
    if (facts->user_sid != NULL || !etwc_sid_to_text(sid, text))
        return true;
    facts->user_sid = etwc_strings_add(strings, text, strlen(text));
    return facts->user_sid != NULL;
}

static bool
learn_texts(etwc_process_facts *facts, etwc_strings *strings,
            const etwc_kernel_process *said, uint32_t fields)
{
    bool is_ok = set_name(facts, strings, said->image_file_name);
    is_ok &= set_path(facts, strings, said->image_path);
    is_ok &= set_sid(facts, strings, said->user_sid);
    if (fields & ETWC_HAS_COMMAND_LINE)
        is_ok &= set_text(&facts->command_line, strings, said->command_line);
    if (fields & ETWC_HAS_PACKAGE) {
        is_ok &= set_text(&facts->package_full_name, strings, said->package_full_name);
        is_ok &= set_text(&facts->application_id, strings, said->application_id);
    }
    return is_ok;
}

bool
metric_facts_learn(etwc_process_facts *facts, etwc_strings *strings,
                   const etwc_kernel_record *record)
{
    const etwc_kernel_process *said = &record->u.process;
    /* The end records of the manifest provider do not name the parent. */
    bool has_parent = record->type != ETWC_KERNEL_PROCESS_END ||
                      !(record->fields & ETWC_HAS_CREATE_TIME);
    if (has_parent && !(facts->fields & ETWC_HAS_PROCESS_ID)) {
        facts->parent_id = said->parent_id;
        facts->fields |= ETWC_HAS_PROCESS_ID;
    }
    if ((record->fields & ETWC_HAS_SESSION) && !(facts->fields & ETWC_HAS_SESSION)) {
        facts->logon_session_id = said->logon_session_id;
        facts->fields |= ETWC_HAS_SESSION;
    }
    if (record->fields & ETWC_HAS_FLAGS) {
        facts->flags = said->flags;
        facts->fields |= ETWC_HAS_FLAGS;
    }
    if (record->fields & ETWC_HAS_CREATE_TIME)
        facts->create_filetime = said->create_filetime;
    if (said->sequence_number != 0)
        facts->sequence_number = said->sequence_number;
    return learn_texts(facts, strings, said, record->fields);
}

void
metric_facts_learn_exit(etwc_process_facts *facts, const etwc_kernel_record *record,
                        bool is_first_end)
{
    const etwc_kernel_process *said = &record->u.process;
    if ((record->fields & ETWC_HAS_EXIT_STATUS) &&
        (is_first_end || (!(facts->fields & ETWC_HAS_EXIT_STATUS) &&
                          said->exit_status != FACTS_STILL_ACTIVE))) {
        facts->exit_status = said->exit_status;
        facts->fields |= ETWC_HAS_EXIT_STATUS;
    }
    if (record->fields & ETWC_HAS_EXIT_TIME)
        facts->exit_filetime = said->exit_filetime;
}
