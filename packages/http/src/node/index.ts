/** `@perdure/http/node`: what adapters of `Request → Response` handlers need for Node's own servers. */
export {
  answerByNode,
  type Connection,
  type ConnectionHandler,
  nodeListener,
  type Received,
} from "./handler.ts";
