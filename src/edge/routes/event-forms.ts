/** The forms in which events are sent: our own JSON, and CloudEvents for who accepts those. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { cloudEventJson, type EventRow, eventJson } from "../../event/index.js";
import { cloudEventTypes } from "../publish/cloudevents.js";

/** A page of events, each as its form writes it. */
export interface Page {
  readonly texts: readonly string[];
  /** Where the next page begins; null at the end. */
  readonly next: number | null;
}

/** How events are written: our own form, or CloudEvents for who accepts those. */
export interface Form {
  readonly mediaType: string;
  readonly write: (row: EventRow) => string;
  /** The body of a page, with where the next one begins. */
  readonly page: (page: Page, request: FastifyRequest, reply: FastifyReply) => string;
}

/** Our own. */
export const ownForm: Form = {
  mediaType: "application/json; charset=utf-8",
  write: eventJson,
  page: ({ texts, next }) => `{"events":[${texts.join(",")}],"next":${next === null ? "null" : String(next)}}`,
};

/** A batch has no place for it, so the next page is a link (RFC 8288). */
function cloudEventForm(mediaType: string): Form {
  return {
    mediaType: `${mediaType}; charset=utf-8`,
    write: cloudEventJson,
    page: ({ texts, next }, request, reply) => {
      if (next !== null) reply.header("link", `<${nextAddress(request, next)}>; rel="next"`);
      return `[${texts.join(",")}]`;
    },
  };
}

const cloudEventForms: Readonly<Record<"single" | "batch", Form>> = {
  single: cloudEventForm(cloudEventTypes.single),
  batch: cloudEventForm(cloudEventTypes.batch),
};

/** The form that the request accepts: of one event, or of a page of them. */
export function formOf({ headers: { accept = "" } }: FastifyRequest, of: "single" | "batch"): Form {
  const accepted = accept.split(",").map((range) => range.split(";", 1)[0]?.trim().toLowerCase());
  return accepted.includes(cloudEventTypes[of]) ? cloudEventForms[of] : ownForm;
}

function nextAddress({ url }: FastifyRequest, next: number): string {
  const address = new URL(url, "http://eventplane");
  const place = address.searchParams.get("direction") === "backwards" ? "before" : "after";
  address.searchParams.set(place, String(next));
  return `${address.pathname}${address.search}`;
}
