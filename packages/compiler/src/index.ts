/** The compiler as a function, for those who build an entry point of their own. */
export { CompileError, type Diagnostic, type DiagnosticCode, formatDiagnostic } from "./diagnostics.ts";
export type { SourceMap } from "./origin.ts";
export { type TransformOptions, type TransformResult, transform } from "./transform.ts";
