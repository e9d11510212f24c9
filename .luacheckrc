std = "lua54"
max_line_length = 120
unused_args = true
self = false
-- Words that programs print are kept whole on their line.
max_string_line_length = false
max_comment_line_length = 130
