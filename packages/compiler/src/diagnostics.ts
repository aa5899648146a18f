/** What the compiler can complain about: the registry of codes, and the error that stops a build. */

/** The stable name of a complaint. `spec.md` lists when each is made. */
export type DiagnosticCode =
  | "misspelled-directive"
  | "directive-not-first"
  | "conflicting-directives"
  | "not-async"
  | "unsupported-function"
  | "unsupported-position"
  | "unstorable-this"
  | "this-write"
  | "async-call"
  | "unregistered-class"
  | "computed-name"
  | "nested-workflow"
  | "duplicate-id"
  | "captured-write"
  | "captured-read"
  | "nondeterministic-call"
  | "node-builtin"
  | "process-env"
  | "unmapped-output"
  | "unused-file-directive"
  | "commonjs-module"
  | "syntax-error";

/** What one code says. Texts take the offending detail, so that no caller words a message of its own. */
interface Complaint {
  severity: "error" | "warning";
  message: (detail: string) => string;
  fix: (detail: string) => string;
}

const complaints: Record<DiagnosticCode, Complaint> = {
  "misspelled-directive": {
    severity: "error",
    message: (found) => `${found} looks like a directive but is none: nothing would be marked.`,
    fix: () => `Write "use step" or "use workflow", as a plain string literal.`,
  },
  "directive-not-first": {
    severity: "error",
    message: (found) => `"${found}" is not at the start of its function or file, so it is no directive.`,
    fix: () => "Move it above every other statement of the function, or of the file, imports included.",
  },
  "conflicting-directives": {
    severity: "error",
    message: (where) => `"use step" and "use workflow" both mark ${where}.`,
    fix: () => "Keep one: a workflow orchestrates, a step has side effects.",
  },
  "not-async": {
    severity: "error",
    message: (kind) => `A ${kind} must be an async function.`,
    fix: () => "Add `async`.",
  },
  "unsupported-function": {
    severity: "error",
    message: (detail) => `A directive cannot mark ${detail}.`,
    fix: () =>
      "Use a function, an object-literal method, a static method, or for steps an instance method, getter or setter, and pass the data it needs.",
  },
  "unstorable-this": {
    severity: "error",
    message: (reason) =>
      `The step's \`this\` crosses the journal, which this class's instances cannot: ${reason}.`,
    fix: () =>
      "Give a named class of the module both static methods, or make the step a function that takes the data it needs.",
  },
  "this-write": {
    severity: "warning",
    message: () =>
      "The step changes `this`, which is a copy of the workflow's instance: the change would be lost.",
    fix: () => "Return the value from the step, and set it in the workflow.",
  },
  "async-call": {
    severity: "warning",
    message: (kind) =>
      kind === "setter"
        ? "A workflow does not wait for a setter that is a step: the assignment ends before the step has begun, and its error goes unseen."
        : kind === "generator"
          ? "In a workflow the call of a generator that is a step gives no generator, but a promise of all its values once it has ended."
          : `The ${kind === "get" ? "getter" : "function"} is not async, but as a step it gives a promise in a workflow.`,
    fix: (kind) =>
      kind === "setter"
        ? "Make it an async method, and await that."
        : kind === "generator"
          ? "Use `for await` over the call, or `await` it, in the workflow; make it an async function to silence this."
          : kind === "get"
            ? "Await it in the workflow, and declare its type as a `Promise`."
            : "Await it in the workflow, and make it `async`.",
  },
  "unregistered-class": {
    severity: "warning",
    message: (why) =>
      `The class ${why}, so it is not registered: another process, or this one after a restart, could not read its instances.`,
    fix: () =>
      "Declare it in the module with both static methods in its body, or call `registerClass(id, cls)` where every process does.",
  },
  "unsupported-position": {
    severity: "error",
    message: (detail) => `A marked function cannot stand ${detail}.`,
    fix: () => "Move it out: to the module, a function body, or behind what could replace it.",
  },
  "computed-name": {
    severity: "error",
    message: () => "A marked function under a computed key has no name to make its id of.",
    fix: () => "Give it a plain key, or declare the function elsewhere and refer to it here.",
  },
  "nested-workflow": {
    severity: "error",
    message: (kind) => `A workflow inside a ${kind} could not be found again after a restart.`,
    fix: () => "Move it to the module.",
  },
  "duplicate-id": {
    severity: "error",
    message: (id) => `Another function of this file has the id ${id} already.`,
    fix: () => "Rename one of the two.",
  },
  "captured-write": {
    severity: "error",
    message: (name) =>
      `The step changes \`${name}\`, a variable of its workflow. Replay does not run a completed step again, so the change would be lost.`,
    fix: (name) => `Return the value from the step and set \`${name}\` in the workflow.`,
  },
  "captured-read": {
    severity: "warning",
    message: (name) =>
      `The step reads \`${name}\`, which is reassigned after the step is made: a retry may see another value than the first attempt.`,
    fix: (name) => `Pass \`${name}\` to the step as an argument.`,
  },
  "nondeterministic-call": {
    severity: "error",
    message: (name) => `\`${name}\` in a workflow is not deterministic: replay could not repeat it.`,
    fix: (name) =>
      /^set(Timeout|Interval|Immediate)$/.test(name)
        ? "Use `sleep()`, which is durable."
        : 'Call it in an async function marked "use step", and call that here.',
  },
  "node-builtin": {
    severity: "error",
    message: (name) => `${name} in a workflow is not deterministic: replay could not repeat it.`,
    fix: (name) =>
      name.includes("timers")
        ? "Use `sleep()`, which is durable."
        : name.includes("crypto")
          ? 'Use `randomBytes`, `randomInt` or `randomUUID` (they are replayed), or an async function marked "use step".'
          : 'Use it in an async function marked "use step", and call that here.',
  },
  "process-env": {
    severity: "warning",
    message: () => "`process.env` in a workflow may differ at replay, on another machine or after a deploy.",
    fix: () => "Read it in a step, or pass the value as an argument of the run.",
  },
  "unmapped-output": {
    severity: "warning",
    message: () =>
      "This looks like the output of a compiler, and no source map names its source: its ids are others than those of the source.",
    fix: () =>
      "Let the compiler write source maps (tsc: `sourceMap`, swc: `sourceMaps`), or compile with a plugin of `perdure`.",
  },
  "unused-file-directive": {
    severity: "warning",
    message: (directive) =>
      `"${directive}" at the top of the file marks exported async functions, and there is none.`,
    fix: () => "Export the functions, or put the directive into each function.",
  },
  "commonjs-module": {
    severity: "error",
    message: () => "Directives need an ES module, and this is CommonJS.",
    fix: () => "Use `import` and `export`, in a `.ts`, `.mts`, `.js` or `.mjs` file.",
  },
  "syntax-error": {
    severity: "error",
    message: (detail) => `The file could not be parsed: ${detail}`,
    fix: () => "Correct the syntax.",
  },
};

const ignoredInPackages: ReadonlySet<DiagnosticCode> = new Set([
  "misspelled-directive",
  "directive-not-first",
  "syntax-error",
]);

/** One complaint about a place in a source file. */
export interface Diagnostic {
  /** An error stops the build; a warning is reported and the output stands. */
  severity: "error" | "warning";
  code: DiagnosticCode;
  /** What is wrong, as one or two sentences. */
  message: string;
  /** What to do about it, as one sentence. */
  fix: string;
  /** The file as it was given to `transform`. */
  file: string;
  /** From 1. */
  line: number;
  /** From 1, in UTF-16 code units. */
  column: number;
}

/** Collects the complaints about one file. */
export class Reporter {
  readonly diagnostics: Diagnostic[] = [];
  readonly #file: string;
  readonly #code: string;
  readonly #package: string | undefined;

  /** @param installed the name of the installed package whose file it is */
  constructor(file: string, code: string, installed?: string) {
    this.#file = file;
    this.#code = code;
    this.#package = installed;
  }

  /** Files `code` at the UTF-16 offset; `detail` is what the code's texts are about. */
  report(code: DiagnosticCode, offset: number, detail = ""): void {
    const { message, fix } = complaints[code];
    let { severity } = complaints[code];
    let hint = "";
    if (this.#package !== undefined) {
      // Slips and doubts are its author's business, and a package that cannot be compiled runs as it would without us.
      if (severity === "warning" || ignoredInPackages.has(code)) return;
      if (code === "commonjs-module") severity = "warning";
      hint = ` Or leave the package as it is: add "${this.#package}" to \`exclude\`.`;
    }
    const before = this.#code.slice(0, offset);
    const lineStart = before.lastIndexOf("\n") + 1;
    this.diagnostics.push({
      severity,
      code,
      message: message(detail),
      fix: fix(detail) + hint,
      file: this.#file,
      line: before.split("\n").length,
      column: offset - lineStart + 1,
    });
  }

  get failed(): boolean {
    return this.diagnostics.some(({ severity }) => severity === "error");
  }

  /** The complaints in the order of the source. */
  sorted(): Diagnostic[] {
    return this.diagnostics.toSorted((a, b) => a.line - b.line || a.column - b.column);
  }
}

/** `file:line:column severity code: message fix`, the form that terminals and editors make clickable. */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const { file, line, column, severity, code, message, fix } = diagnostic;
  return `${file}:${line}:${column} ${severity} ${code}: ${message} ${fix}`;
}

/** Thrown by the entry points when a file has errors. Its message holds all of them, formatted. */
export class CompileError extends Error {
  readonly code: "COMPILE_ERROR" = "COMPILE_ERROR";
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: readonly Diagnostic[]) {
    super(diagnostics.map(formatDiagnostic).join("\n"));
    this.name = "CompileError";
    // The places are in the message; where in the compiler it was thrown would only bury them.
    this.stack = `${this.name}: ${this.message}`;
    this.diagnostics = diagnostics;
  }

  /** Recognises the error across realms and duplicate copies of this package. */
  static is(error: unknown): error is CompileError {
    return error instanceof Error && "code" in error && error.code === "COMPILE_ERROR";
  }
}
