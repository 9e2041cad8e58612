/** Rows as PostgreSQL's text, so that nothing is parsed that nobody asks for. */
import type pg from "pg";

/** Leaves every column as text; one decoder per statement knows what it is. */
export const rawTypes: pg.CustomTypesConfig = { getTypeParser: () => (value: string) => value };
