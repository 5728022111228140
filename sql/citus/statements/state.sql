-- Whether this database has the Citus extension, and whether its server was started with Citus loaded and can make it.
SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') AS made,
       EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'citus')
           AND current_setting('shared_preload_libraries') ~ '(^|[ ,/])citus([ ,.]|$)' AS loaded
