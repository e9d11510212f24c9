"""Changes one byte, or the smallest step there is, of field k of contact k: `tamper.py postgres|sqlite` prints SQL,
`tamper.py twenty` does it by the API, `tamper.py expect` prints what a run has to find: contact, system, kind, field."""

import json
import sys

import reader

TEXTS = """canonical_name name_normalized first_name last_name middle_name nickname name_suffix title full_name organization
job_title department subcategory_code relationship_category notes email phone""".split()
DOCUMENTS = "llm_context communication_stats social_network ai_insights recommendations sync_metadata".split()
TIMES = "created_at updated_at first_seen last_seen".split()
FLAGS = ["is_business", "is_me"]
FIELDS = ["contact_id"] + TEXTS + ["category_code", "birthday"] + FLAGS + DOCUMENTS + TIMES
TWENTY = {
    "contact_id": "contactId", "canonical_name": "name", "first_name": "firstNamePart", "last_name": "lastNamePart",
    "title": "nameTitle", "full_name": "fullNamePart", "email": "emails.primaryEmail",
    "phone": "phones.primaryPhoneNumber", "created_at": "contactCreatedAt", "updated_at": "contactUpdatedAt",
}


def key(k):
    return "t%03d" % k


def camel(field):
    first, *rest = field.split("_")
    return first + "".join(word.capitalize() for word in rest)


def column(system, field):
    return field if system != "CRM" else TWENTY.get(field, camel(field))


def contact(k):
    """A contact with a value in every field."""
    record = {field: "Value%d of %s" % (k, field) for field in TEXTS}
    record.update({field: {"k": k, "s": field} for field in DOCUMENTS})
    record.update({field: "2024-05-06T07:08:09.123456Z" for field in TIMES})
    record.update(contact_id=key(k), email="p%d@example.com" % k, phone="+12025550%03d" % (100 + k), birthday="1980-02-28",
                  category_code="A", subcategory_code="A1_FAMILY", is_business=False, is_me=False)
    return record


def cmd_contacts():
    for k in range(len(FIELDS)):
        print(json.dumps(contact(k)))


def shorter(field):
    return "substr(%s, 1, length(%s) - 1) || 'z'" % (field, field)


def cmd_postgres():
    for k, field in enumerate(FIELDS):
        value = shorter(field)
        if field in DOCUMENTS:
            value = "jsonb_set(%s, '{k}', '1000')" % field
        elif field in TIMES:
            value = field + " + interval '1 microsecond'"
        elif field in FLAGS:
            value = "not " + field
        elif field == "birthday":
            value = "birthday + 1"
        print("UPDATE public.contacts_master SET %s = %s WHERE contact_id = '%s';" % (field, value, key(k)))


def cmd_sqlite():
    for k, field in enumerate(FIELDS):
        value = shorter(field)
        if field in DOCUMENTS:
            value = "replace(%s, 's', 't')" % field
        elif field in TIMES:
            value = field + " - 1"
        elif field in FLAGS:
            value = "1 - " + field
        elif field == "birthday":
            value = "'1980-02-29'"
        print("UPDATE contacts_master SET %s = %s WHERE contact_id = '%s';" % (field, value, key(k)))


def twenty_body(field, before):
    name = TWENTY.get(field, camel(field)).split(".")[0]
    if field == "canonical_name":
        return {"name": {"firstName": before["firstName"], "lastName": before["lastName"][:-1] + "z"}}
    if field == "email":
        return {name: {"primaryEmail": "z" + before["primaryEmail"][1:]}}
    if field == "phone":
        return {name: {"primaryPhoneNumber": "+12025550999"}}
    if field in FLAGS:
        return {name: not before}
    if field in DOCUMENTS:
        return {name: dict(before, k=-1)}
    if field in TIMES:
        return {name: before.replace(".123", ".124")}
    return {name: {"birthday": "1980-02-27", "category_code": "B"}.get(field) or before[:-1] + "z"}


def cmd_twenty():
    for k, field in enumerate(FIELDS):
        person = reader.person(key(k))
        name = TWENTY.get(field, camel(field)).split(".")[0]
        reader.twenty("PATCH", "/rest/people/" + person["id"], twenty_body(field, person[name]))


def cmd_expect():
    for k, field in enumerate(FIELDS):
        for system in "CRM", "Local", "Supabase":
            if field == "contact_id":
                print(key(k), system, "missing", None)
            else:
                print(key(k), system, "mismatched", column(system, field))


if __name__ == "__main__":
    globals()["cmd_" + sys.argv[1]]()
