ANALYZE resource;
ANALYZE search_token;
ANALYZE search_string;
ANALYZE search_date;
ANALYZE search_number;
ANALYZE search_position;
ANALYZE search_text;
