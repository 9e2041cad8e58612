/** The forms in which events are sent: our own JSON, and CloudEvents for who accepts those. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { type AppDefinition, cloudEventJson, type EventRow, eventJson, liftSpec } from "../../event/index.js";
import { EventplaneError, type JsonObject } from "../../kernel/index.js";
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

/**
 * Our own form, with what an event of an older schemaVersion says in the version that the application has now, beside what is
 * stored: `latest: {schemaVersion, spec}`. Hashes and proofs are of what is stored.
 */
function latestForm({ aggregates }: Pick<AppDefinition, "aggregates">): Form {
  return {
    ...ownForm,
    write: (row) => {
      const text = eventJson(row);
      const definition = aggregates.get(row.aggregateType)?.intents.get(row.type);
      if (definition === undefined || row.schemaVersion >= definition.schemaVersion || row.decision !== null)
        return text;
      const spec = liftSpec(definition, row, JSON.parse(row.specText) as JsonObject); // a spec is always a JSON object: the store's contract
      return `${text.slice(0, -1)},"latest":${JSON.stringify({ schemaVersion: definition.schemaVersion, spec })}}`;
    },
  };
}

/** The form that the request accepts: of one event, or of a page of them. */
function formOf({ headers: { accept = "" } }: FastifyRequest, of: "single" | "batch"): Form {
  const accepted = accept.split(",").map((range) => range.split(";", 1)[0]?.trim().toLowerCase());
  return accepted.includes(cloudEventTypes[of]) ? cloudEventForms[of] : ownForm;
}

/** {@link formOf}, or {@link latestForm} where the parameter `schema` is `latest`. @throws EventplaneError `request_invalid` */
export function formWith(
  request: FastifyRequest,
  {
    of,
    schema,
    app,
  }: { readonly of: "single" | "batch"; readonly schema: string | undefined; readonly app: AppDefinition },
): Form {
  const form = formOf(request, of);
  if (schema === undefined) return form;
  if (form === ownForm) return latestForm(app);
  throw new EventplaneError("request_invalid", "A CloudEvent has no place for its latest version.", {
    details: { parameter: "schema" },
  });
}

function nextAddress({ url }: FastifyRequest, next: number): string {
  const address = new URL(url, "http://eventplane");
  const place = address.searchParams.get("direction") === "backwards" ? "before" : "after";
  address.searchParams.set(place, String(next));
  return `${address.pathname}${address.search}`;
}
