"""Prints contacts as newline-delimited JSON: the dictionaries of the list that the Python expression gives."""

import json
import sys


def contact(i, **more):
    """A plain contact that every system can hold."""
    record = {
        "contact_id": "c%04d" % i, "canonical_name": "Name%d Person" % i, "first_name": "Name%d" % i,
        "last_name": "Person", "job_title": "Engineer", "category_code": "A", "subcategory_code": "A1_FAMILY",
        "is_business": False, "is_me": False, "email": "p%d@example.com" % i, "phone": "+12025550123",
        "llm_context": {"n": i}, "created_at": "2024-05-06T07:08:09.123456Z", "birthday": "1980-02-29",
    }
    record.update(more)
    return record


for line in eval("(" + sys.argv[1] + ")"):  # pylint: disable=eval-used
    print(json.dumps(line, ensure_ascii=False))
