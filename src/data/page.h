// JSON pages of a system straight into rows: one pass over the text, cells without a tree in between.
//
// Failures are of kind ERR_JSON and name the path (or column) and the row, from 1: code "shape" where a value is not of
// the shape asked for, else the codes of io/json.h.
#ifndef SYNCRUN_DATA_PAGE_H
#define SYNCRUN_DATA_PAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "data/rows.h"

// A JSON value as spelled, inside the text that was read. text is NULL when it was absent.
struct page_value {
	const char *name; // of page_read_bigquery only: the member's name, as spelled between its quotes
	size_t name_len;
	const char *text;
	size_t len;
};

// Paths are member names joined by dots; they lead through objects only.
struct page_paths;
// Compile: `rows` leads to the array of rows ("" when the text itself is that array), columns[c] from a row to the
// value of column c, extras[i] from the top to a further value. The strings are copied. NULL with err on failure.
struct page_paths *page_paths_new(const char *rows, const char *const *columns, size_t ncolumns,
	const char *const *extras, size_t nextras, struct err *err);
void page_paths_free(struct page_paths *paths);
// Read a text into `rows`, an empty page with a column for each path. A scalar becomes the text form of the column's
// type, any value for a json column its spelling; absent and null become NULL; of a repeated name in a row the last
// counts. extras (room for nextras) get the values' spelling. *missing: there is no array of rows (absent or null).
bool page_read_json(struct page_paths *paths, const char *text, size_t len, struct rows *rows,
	struct page_value *extras, bool *missing, struct err *err);

// The compiled schema.fields of a BigQuery answer (https://cloud.google.com/bigquery/docs/reference/rest/v2/tables).
struct bigquery_fields;
// From the JSON text of that array. Refuses unknown types and repeated names, naming the column. NULL with err.
struct bigquery_fields *bigquery_fields_parse(const char *json, size_t len, struct err *err);
void bigquery_fields_free(struct bigquery_fields *fields);
// The rows' schema, borrowed: RECORD and REPEATED are json, STRING text, NUMERIC decimal and so on.
struct schema *bigquery_fields_schema(const struct bigquery_fields *fields);

// The scalar members beside the rows (pageToken, totalRows, jobComplete …). Zero-initialise; free with
// page_extras_free. The values point into the text.
struct page_extras {
	struct page_value *items;
	size_t n, cap;
};
void page_extras_free(struct page_extras *extras);
// Read the body of jobs.query, jobs.getQueryResults or tabledata.list into `rows`, an empty page of that schema. No
// `rows` member means no rows. A RECORD becomes an object, REPEATED an array: INT64 and NUMERIC as numbers, FLOAT64 as
// numbers (NaN and infinities as strings), TIMESTAMP as RFC 3339 with six digits, BYTES as base64 strings.
bool page_read_bigquery(const struct bigquery_fields *fields, const char *text, size_t len, struct rows *rows,
	struct page_extras *extras, struct err *err);

#endif
