/**
 * Compression: of answers to reads, where the client asks for it; of bodies, with a bound on what they become.
 *
 * Answers that could hold a secret beside what somebody else chose are never compressed (BREACH): those that make keys and tokens,
 * problems, and everything that is no read. Subscriptions are not either: each event goes out at once, as it is for all subscribers.
 */
import { pipeline, type Readable } from "node:stream";
import { brotliCompress, constants, createBrotliCompress, createGzip, gunzip, gzip } from "node:zlib";
import { negotiate } from "@fastify/accept-negotiator";
import type { FastifyReply, FastifyRequest } from "fastify";
import { EventplaneError, limits } from "../kernel/index.js";

/** Less is not worth it. */
const compressedCharactersMin = 1_024;
const encodings = ["br", "gzip", "identity"];
const compressible = /^application\/(json|x-ndjson|cloudevents\+json|cloudevents-batch\+json)(;|$)/;
/** Lines reach the client when they are written, not when a block is full. */
const gzipOptions = { level: 4, flush: constants.Z_SYNC_FLUSH };
const brotliOptions = {
  params: { [constants.BROTLI_PARAM_QUALITY]: 4 },
  flush: constants.BROTLI_OPERATION_FLUSH,
};

type Done = (error: Error | null, payload?: unknown) => void;

/** An onSend hook: compresses a successful answer of a read as the client asks. */
export function compressAnswer(request: FastifyRequest, reply: FastifyReply, payload: unknown, done: Done): void {
  if (reply.statusCode !== 200 || !compressible.test(String(reply.getHeader("content-type")))) {
    done(null, payload);
    return;
  }
  reply.header("vary", [reply.getHeader("vary"), "accept-encoding"].filter((name) => name !== undefined).join(", "));
  const encoding = negotiate(String(request.headers["accept-encoding"] ?? "identity"), encodings);
  const isShort = typeof payload === "string" && payload.length < compressedCharactersMin;
  if (isShort || (encoding !== "br" && encoding !== "gzip")) {
    done(null, payload);
    return;
  }
  reply.header("content-encoding", encoding).removeHeader("content-length");
  if (typeof payload === "string") compressText(payload, encoding, done);
  else done(null, compressStream(payload as Readable, encoding)); // routes of reads send texts and streams
}

function compressText(text: string, encoding: "br" | "gzip", done: Done): void {
  if (encoding === "br") brotliCompress(text, brotliOptions, done);
  else gzip(text, gzipOptions, done);
}

/** What breaks one side ends the other; the client sees that the end is missing. */
function compressStream(source: Readable, encoding: "br" | "gzip"): Readable {
  const compressor = encoding === "br" ? createBrotliCompress(brotliOptions) : createGzip(gzipOptions);
  pipeline(source, compressor, () => undefined);
  return compressor;
}

/**
 * The bytes of a body that came as gzip. It ends where the bound of bodies does, whatever would come.
 *
 * @throws EventplaneError `payload_too_large`; `request_invalid` for what is no gzip
 */
export function inflateBody(body: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    gunzip(body, { maxOutputLength: limits.bodyBytesMax }, (cause, inflated) => {
      if (cause === null) resolve(inflated);
      else reject(refusalOf(cause as Error & { readonly code?: unknown })); // zlib's errors have one
    });
  });
}

function refusalOf(cause: Error & { readonly code?: unknown }): EventplaneError {
  if (cause.code === "ERR_BUFFER_TOO_LARGE")
    return new EventplaneError(
      "payload_too_large",
      `The body is larger than ${limits.bodyBytesMax} bytes when it is inflated. Send it in several requests.`,
    );
  return new EventplaneError("request_invalid", "The body is not the gzip that its Content-Encoding says.", { cause });
}
