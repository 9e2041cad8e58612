/** Every route of the edge as a request: its address filled in, with a body that it takes. Made of what routes say of themselves. */
import { type Credential, credentialOf, type Operation, operations } from "../../edge/index.js";
import type { Sent } from "./http.js";

/** What stands in addresses, by the name of the parameter; others are filled with the examples of the document. */
export type AddressValues = Readonly<Record<string, string>>;

/** A route with a request to it, without a credential. */
export interface RouteRequest {
  /** As `GET /v1/tenants/:t/events`. */
  readonly route: string;
  readonly operation: Operation;
  readonly credential: Credential;
  readonly sent: Sent;
  /** The query of `sent`, to be changed. */
  readonly query: AddressValues;
}

const example = "example";

/**
 * A request to every route.
 *
 * @param values of the addresses; `tenant` is the one of the query
 */
export function routeRequests(values: AddressValues): readonly RouteRequest[] {
  return Object.entries(operations).map(([route, operation]) => {
    const credential = credentialOf(route);
    const [method = "", url = ""] = route.split(" ");
    const query = queryOf(operation, values);
    const content = operation.body?.["application/json"]?.examples;
    const body = content === undefined ? undefined : JSON.stringify(content[example] ?? Object.values(content)[0]);
    const headers = Object.entries(operation.headers ?? {}).filter(([, { required }]) => required === true);
    return {
      route,
      operation,
      credential,
      query,
      sent: {
        method: method as Sent["method"], // of the table
        path: addressOf(url, values, query),
        headers: Object.fromEntries(headers.map(([name, parameter]) => [name, String(parameter.example)])),
        ...(body === undefined ? {} : { body }),
      },
    };
  });
}

/** The same request with other values in its address. */
export function readdressed({ route, sent }: RouteRequest, values: AddressValues, query: AddressValues): Sent {
  const [, url = ""] = route.split(" ");
  return { ...sent, path: addressOf(url, values, query) };
}

/** Names of the parameters in the path. */
export function pathNames({ route }: RouteRequest): readonly string[] {
  return [...route.matchAll(/:(\w+)/g)].map(([, name = ""]) => name);
}

function queryOf({ query = {} }: Operation, values: AddressValues): AddressValues {
  const given = Object.entries(query).flatMap(([name, { required, example: shown }]): [string, string][] => {
    if (name === "tenant") return values["tenant"] === undefined ? [] : [[name, values["tenant"]]];
    return required === true ? [[name, String(shown)]] : [];
  });
  return Object.fromEntries(given);
}

function addressOf(url: string, values: AddressValues, query: AddressValues): string {
  const path = url.replaceAll(/:(\w+)/g, (_, name: string) => encodeURIComponent(values[name] ?? exampleOf(name)));
  const text = new URLSearchParams(query).toString();
  return text === "" ? path : `${path}?${text}`;
}

/** Of parameters in the path that nobody gave a value. */
const pathExamples: AddressValues = { version: "1", name: "quota", source: "github" };

function exampleOf(name: string): string {
  return pathExamples[name] ?? "0190a6f2-7c1e-7b3a-9d52-3f8e1a2b4c5d";
}
