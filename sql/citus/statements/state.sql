-- Whether this database has the Citus extension, and whether its server was started with Citus loaded and can make it. Who may
-- not see what was loaded may not make the extension either: for such a role the view has no row.
SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') AS made,
       EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'citus')
           AND EXISTS (
               SELECT 1
               FROM pg_settings
               WHERE name = 'shared_preload_libraries' AND setting ~ '(^|[ ,/])citus([ ,.]|$)'
           ) AS loaded
