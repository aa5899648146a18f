import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import { setHeaders, writeHead } from "../../node/send.ts";

/** The answer that a handler writes to a Node response, held back until it is recorded. */

type Chunk = string | Uint8Array;

/** The statuses of answers that have no body. */
const BODYLESS = new Set([204, 205, 304]);

export class NodeAnswer {
  /** What the handler has written, when it has ended the response. */
  readonly written: Promise<Response>;
  readonly #response: ServerResponse;
  readonly #limit: number;
  /** The headers that were there before the handler. */
  readonly #before: OutgoingHttpHeaders;
  readonly #parts: Buffer[] = [];
  #size = 0;
  /** What is written goes to the client. */
  #passes = false;
  #resolve: (response: Response) => void = () => {};

  /** @param limit so many bytes of a body, and one more, are held back: the rest is of no use */
  constructor(response: ServerResponse, limit: number) {
    this.#response = response;
    this.#limit = limit;
    this.#before = { ...response.getHeaders() };
    this.written = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#hold();
  }

  /** Lets through what is written from now on. */
  release(): void {
    this.#passes = true;
  }

  /** Sends an answer. What the handler still writes after it goes nowhere. */
  async send(answer: Response): Promise<void> {
    const body = Buffer.from(await answer.arrayBuffer());
    this.#passes = true;
    writeAnswer(this.#response, this.#before, answer, body);
    this.#passes = false;
  }

  /** Puts methods of its own in front of the response's. */
  #hold(): void {
    const response = this.#response;
    const { write, end, writeHead, flushHeaders } = response;
    const held = {
      write: (chunk: Chunk, ...rest: unknown[]): boolean => {
        this.#keep(chunk, rest);
        return true;
      },
      end: (...args: unknown[]): ServerResponse => {
        const [chunk, ...rest] = args;
        if (typeof chunk === "string" || chunk instanceof Uint8Array) this.#keep(chunk, rest);
        this.#resolve(this.#answer());
        return response;
      },
      writeHead: (status: number, ...rest: unknown[]): ServerResponse => {
        const [reason] = rest;
        response.statusCode = status;
        if (typeof reason === "string") response.statusMessage = reason;
        setHeaders(response, rest.at(-1));
        return response;
      },
      flushHeaders: (): void => {},
    };
    const originals = { write, end, writeHead, flushHeaders };
    for (const name of ["write", "end", "writeHead", "flushHeaders"] as const) {
      const original = originals[name] as (...args: unknown[]) => unknown;
      const hold = held[name] as (...args: unknown[]) => unknown;
      Object.defineProperty(response, name, {
        configurable: true,
        writable: true,
        value: (...args: unknown[]): unknown =>
          this.#passes ? original.apply(response, args) : hold(...args),
      });
    }
  }

  #keep(chunk: Chunk, rest: readonly unknown[]): void {
    const encoding = typeof rest[0] === "string" ? (rest[0] as BufferEncoding) : "utf8";
    const bytes = typeof chunk === "string" ? Buffer.from(chunk, encoding) : Buffer.from(chunk);
    if (this.#size <= this.#limit) this.#parts.push(bytes);
    this.#size += bytes.byteLength;
    const done = rest.find((one) => typeof one === "function");
    if (done !== undefined) queueMicrotask(done as () => void);
  }

  #answer(): Response {
    const { statusCode: status, statusMessage } = this.#response;
    const headers = new Headers();
    for (const [name, value] of Object.entries(this.#response.getHeaders())) {
      if (value === undefined || value === this.#before[name]) continue;
      for (const one of Array.isArray(value) ? value : [value]) headers.append(name, String(one));
    }
    const body = BODYLESS.has(status) ? null : Buffer.concat(this.#parts);
    return new Response(body, { status, statusText: statusMessage ?? "", headers });
  }
}

/** Sends an answer that no handler has written. */
export async function sendAnswer(response: ServerResponse, answer: Response): Promise<void> {
  writeAnswer(response, { ...response.getHeaders() }, answer, Buffer.from(await answer.arrayBuffer()));
}

function writeAnswer(
  response: ServerResponse,
  before: OutgoingHttpHeaders,
  answer: Response,
  body: Buffer,
): void {
  writeHead(response, before, answer);
  response.end(body);
}
