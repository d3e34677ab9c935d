-- What does each column mean, and in which unit?
SELECT output, "column", type, unit, comment, grain
FROM meta.columns
WHERE schema = 'main'
ORDER BY output, position;
