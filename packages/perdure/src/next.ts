/** `perdure/next`: the compiler in Next.js; `withWorkflow` is what the Workflow SDK calls it. */
export { type PluginOptions, withPerdure, withPerdure as withWorkflow } from "@perdure/compiler/next";
