/** How a scope is written: of an API key, and of an issuer of tokens. */

/** Types of events by name or by beginning, for all grants or for one: `organization.*`, `reader:organization.create`. */
export const scopePattern =
  "^((publisher|reader|subscriber):)?[a-z][a-z0-9_-]{0,63}(\\.[a-z0-9][a-z0-9_-]*){0,6}\\.(\\*|[a-z0-9][a-z0-9_-]*)$";

/** At most so many scopes has a key, or an issuer. */
export const scopesMax = 64;
