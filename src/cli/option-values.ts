/** Values of options, checked where they are parsed. */
import { InvalidArgumentError } from "commander";

/** An option's value as a whole number. */
export function wholeNumber(min: number, max: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It is a whole number from ${min} to ${max}.`);
  };
}

/** An option's value as a UUID. */
export function uuid(text: string): string {
  if (/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return text;
  throw new InvalidArgumentError("It is a UUID.");
}

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** Seconds of a duration; the edge checks how many. */
export function durationSeconds(text: string): number {
  const [, digits = "", unit = ""] = /^(\d{1,7})([smhd])$/.exec(text) ?? [];
  if (digits !== "") return Number(digits) * (unitSeconds[unit] ?? 0);
  throw new InvalidArgumentError("It is a whole number with its unit: 90s, 30m, 24h, 7d.");
}
