/** Whether answers are what the OpenAPI document says: status, media type, body; members that it does not name are misfits too. */
import type { JsonObject, JsonValue, SchemaCheck } from "../../src/kernel/index.js";
import { closeSchema } from "../../src/schema/close-schema.js";
import type { Got, Sent } from "../../src/testing/index.js";
import { type ApiDocument, checkOf, type DocumentedOperation, operationsOf } from "./openapi-document.js";

interface KnownRoute {
  readonly route: string;
  readonly method: string;
  readonly form: RegExp;
  readonly operation: DocumentedOperation;
}

/** Checks answers against one document. */
export class AnswerCheck {
  readonly #document: ApiDocument;
  readonly #routes: readonly KnownRoute[];
  readonly #checks = new Map<JsonObject, SchemaCheck>();

  constructor(document: JsonObject) {
    const opened = document as unknown as ApiDocument; // a validator has looked at it
    const schemas = Object.entries(opened.components.schemas).map(([name, schema]) => [
      name,
      name === "Problem" ? schema : closeSchema(schema),
    ]);
    this.#document = {
      ...opened,
      components: { ...opened.components, schemas: Object.fromEntries(schemas) as Record<string, JsonObject> },
    };
    this.#routes = operationsOf(opened)
      .map(([key, operation]) => {
        const [method = "", path = ""] = key.split(" ");
        // Words before parameters: `/dead-letters/groups` is not `/dead-letters/{id}`.
        return {
          route: key.replaceAll(/\{(\w+)\}/g, ":$1"),
          method,
          form: new RegExp(`^${path.replaceAll(".", "\\.").replaceAll(/\{\w+\}/g, "[^/]+")}$`),
          operation,
        };
      })
      .sort((one, other) => one.route.split(":").length - other.route.split(":").length);
  }

  /** The route that was asked, and what is not as it is described. What is no address of the API has no route. */
  misfitsOf(
    { method, path }: Sent,
    { status, mediaType, body }: Got,
  ): { readonly route: string | undefined; readonly misfits: readonly string[] } {
    const [bare = ""] = path.split("?", 1);
    const found = this.#routes.find((each) => each.method === method && each.form.test(bare));
    if (found === undefined) return { route: undefined, misfits: [] };
    const { route, operation } = found;
    const says = (what: string): { readonly route: string; readonly misfits: readonly string[] } => ({
      route,
      misfits: [`${route}: ${what}`],
    });
    const response = operation.responses[status];
    if (response === undefined) return says(`status ${status} ${codeIn(body)}`);
    const media = response.content?.[mediaType];
    if (response.content === undefined)
      return body === "" ? { route, misfits: [] } : says(`a body with status ${status}`);
    if (media === undefined) return says(`${mediaType || "no media type"} with status ${status}`);
    if (mediaType !== "application/json" && !mediaType.endsWith("+json")) return { route, misfits: [] };
    const problems = this.#checkOf(media.schema, mediaType)(JSON.parse(body) as JsonValue);
    return {
      route,
      misfits: problems.map(({ pointer, message }) => `${route}: ${status} ${codeIn(body)} ${pointer} ${message}`),
    };
  }

  #checkOf(schema: JsonObject, mediaType: string): SchemaCheck {
    const known = this.#checks.get(schema);
    if (known !== undefined) return known;
    const check = checkOf(this.#document, mediaType === "application/problem+json" ? schema : closeSchema(schema));
    this.#checks.set(schema, check);
    return check;
  }
}

function codeIn(body: string): string {
  return /"code":"([a-z_]+)"/.exec(body)?.[1] ?? "";
}
