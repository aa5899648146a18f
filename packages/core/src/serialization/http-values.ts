/**
 * `Request` and `Response` as values. What crosses the journal: method, URL, headers and how redirects are followed; status,
 * text, headers, URL and whether it was redirected; the bytes of the body. Not: the signal, credentials, cache and mode.
 */
import { randomBytes } from "node:crypto";
import { processWide } from "../process-wide.ts";
import { type BodyHolder, knownBody, rememberBody, UnreadBody } from "./bodies.ts";
import { isPlainlyObject, Refusal } from "./kinds.ts";

/** Where the answer to a request goes: a stream of the run that has the webhook. */
export interface ReplyAddress {
  readonly runId: string;
  /** Of the message that brought the request. */
  readonly id: string;
}

interface RequestData {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly [string, string][];
  readonly body: Uint8Array<ArrayBuffer> | null;
  readonly redirect?: Request["redirect"];
  readonly reply?: ReplyAddress;
}

interface ResponseData {
  readonly status: number;
  readonly statusText: string;
  readonly headers: readonly [string, string][];
  readonly body: Uint8Array<ArrayBuffer> | null;
  readonly url?: string;
  readonly redirected?: boolean;
}

/** Stands in for a body that was not read. */
export class UnreadRefusal extends Refusal {
  readonly holder: BodyHolder;

  constructor(holder: BodyHolder) {
    super("");
    this.holder = holder;
  }

  /** The error of the place at which it was met. */
  at(path: string): UnreadBody {
    return new UnreadBody(path.replace(/\.body$/, ""), this.holder);
  }
}

/** No body has these bytes. With a number of four bytes they are whole groups of base64. */
const NO_BODY = randomBytes(26);

/** What stands in for the bodies that were not read, in a text that is completed when they are. */
export class BodyPlaces {
  readonly #places: Map<BodyHolder, Uint8Array<ArrayBuffer>> = new Map();

  get holders(): readonly BodyHolder[] {
    return [...this.#places.keys()];
  }

  of(holder: BodyHolder): Uint8Array<ArrayBuffer> {
    const known = this.#places.get(holder);
    if (known !== undefined) return known;
    const place = new Uint8Array(NO_BODY.length + 4);
    place.set(NO_BODY);
    new DataView(place.buffer).setUint32(NO_BODY.length, this.#places.size);
    this.#places.set(holder, place);
    return place;
  }

  /** The text with the bodies, which were read meanwhile, in their places. */
  filled(text: string): string {
    let filled = text;
    for (const [holder, place] of this.#places) {
      const bytes = knownBody(holder) ?? new Uint8Array();
      filled = filled.replaceAll(base64(place), () => base64(bytes));
    }
    return filled;
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

const replies: WeakMap<Request, ReplyAddress> = processWide("replies", () => new WeakMap());
let sendReply: (address: ReplyAddress, response: Response) => Promise<void> = () =>
  Promise.reject(new Error("Import perdure/api, which sends the answers of requests."));

/** Says how requests that a workflow answers itself are answered. */
export function answerRequestsBy(send: typeof sendReply): void {
  sendReply = send;
}

/** Gives a request the method `respondWith`. */
export function answerable(request: Request, address: ReplyAddress): Request {
  replies.set(request, address);
  return Object.defineProperty(request, "respondWith", {
    value: (response: Response) => sendReply(address, response),
  });
}

/** The data of a request; `false` for anything else. */
export function requestData(value: object, places: BodyPlaces | null): RequestData | false {
  if (!hasTag<Request>(value, "Request")) return false;
  const { method, url, redirect } = value;
  const reply = replies.get(value);
  return {
    method,
    url,
    headers: [...value.headers],
    body: bodyOf(value, places),
    ...(redirect !== "follow" && { redirect }),
    ...(reply !== undefined && { reply }),
  };
}

/** The request of such data. */
export function requestOf({ url, reply, body, ...init }: RequestData): Request {
  const request = new Request(url, { ...init, headers: [...init.headers], body });
  rememberBody(request, body);
  return reply === undefined ? request : answerable(request, reply);
}

/** The data of a response; `false` for anything else. */
export function responseData(value: object, places: BodyPlaces | null): ResponseData | false {
  if (!hasTag<Response>(value, "Response")) return false;
  const { status, statusText, url, redirected } = value;
  return {
    status,
    statusText,
    headers: [...value.headers],
    body: bodyOf(value, places),
    ...(url !== "" && { url }),
    ...(redirected && { redirected }),
  };
}

/** The response of such data. */
export function responseOf({ body, url, redirected, ...init }: ResponseData): Response {
  if (init.status === 0) return Response.error();
  const response = new Response(body, { ...init, headers: [...init.headers] });
  rememberBody(response, body);
  if (url !== undefined) Object.defineProperty(response, "url", { value: url });
  if (redirected !== undefined) Object.defineProperty(response, "redirected", { value: redirected });
  return response;
}

function bodyOf(holder: BodyHolder, places: BodyPlaces | null): RequestData["body"] {
  const bytes = knownBody(holder);
  if (bytes !== undefined) return bytes;
  return places === null ? (new UnreadRefusal(holder) as never) : places.of(holder);
}

function hasTag<T extends BodyHolder>(value: object, tag: string): value is T {
  if (!isPlainlyObject(value) || Object.hasOwn(value, Symbol.toStringTag)) return false;
  if (Object.prototype.toString.call(value) !== `[object ${tag}]`) return false;
  const { headers, clone } = value as Partial<T>;
  return headers !== undefined && typeof clone === "function";
}
