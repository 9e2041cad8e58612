/** Where a byte sequence stops being UTF-8 (RFC 3629): used only for the place of a refusal, never on the good path. */

/** Offset of the first byte of the first ill-formed sequence; `bytes.length` when all of it is UTF-8. */
export function firstInvalidUtf8(bytes: Uint8Array): number {
  let at = 0;
  while (at < bytes.length) {
    const length = sequenceLength(bytes, at);
    if (length === 0) return at;
    at += length;
  }
  return at;
}

/** Bytes of the well-formed sequence at `at`, 0 when it is ill-formed (RFC 3629 §4). */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at] ?? 0;
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return tail(bytes, at, { count: 1, min: 0x80, max: 0xbf });
  if (lead >= 0xe0 && lead <= 0xef) {
    return tail(bytes, at, { count: 2, min: lead === 0xe0 ? 0xa0 : 0x80, max: lead === 0xed ? 0x9f : 0xbf });
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    return tail(bytes, at, { count: 3, min: lead === 0xf0 ? 0x90 : 0x80, max: lead === 0xf4 ? 0x8f : 0xbf });
  }
  return 0;
}

/** `min` and `max` bound the first of `count` continuation bytes; the others are 80 to BF. */
function tail(
  bytes: Uint8Array,
  at: number,
  range: { readonly count: number; readonly min: number; readonly max: number },
): number {
  const first = bytes[at + 1] ?? 0;
  if (first < range.min || first > range.max) return 0;
  for (let offset = 2; offset <= range.count; offset++) {
    if (((bytes[at + offset] ?? 0) & 0xc0) !== 0x80) return 0;
  }
  return range.count + 1;
}
