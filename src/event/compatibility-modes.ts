/**
 * What a new version must be able to do, as schema registries name it: `backward`: take what was written by the version before;
 * `forward`: be taken by the version before; `full`: both. With `_transitive` the same of all versions before.
 */
export const compatibilityModes = [
  "none",
  "backward",
  "backward_transitive",
  "forward",
  "forward_transitive",
  "full",
  "full_transitive",
] as const;

/** One of {@link compatibilityModes}. */
export type CompatibilityMode = (typeof compatibilityModes)[number];

/** The mode of a type that says nothing. */
export const compatibilityDefault: CompatibilityMode = "backward";

/** True for the name of a mode. */
export function isCompatibilityMode(value: unknown): value is CompatibilityMode {
  return (compatibilityModes as readonly unknown[]).includes(value);
}
