// The official OpenAI client for JavaScript, unmodified: runs each case of its plan and tells what came of it.

import OpenAI from "openai";
import { EnvHttpProxyAgent } from "undici";

const given = JSON.parse(process.argv[2]);
// A client that hangs ends.
setTimeout(() => process.exit(1), 60_000).unref();

// Node before 24 does not read the proxy variables by itself.
const byItself = Number(process.versions.node.split(".")[0]) >= 24;
const proxied = !byItself && (process.env.HTTPS_PROXY || process.env.HTTP_PROXY);
const fetchOptions = proxied ? { dispatcher: new EnvHttpProxyAgent() } : {};
// The client tells its retry count to the server only, in a header.
let retries = 0;
const counting = (url, init) => {
  retries = Number(new Headers(init.headers).get("x-stainless-retry-count") ?? 0);
  return fetch(url, init);
};
const client = new OpenAI({ timeout: 30_000, fetch: counting, fetchOptions });

async function complete(sdk, one) {
  const asked = {
    model: one.model,
    messages: [{ role: "user", content: one.say.repeat(one.repeat ?? 1) }],
    ...(one.max_tokens === undefined ? {} : { max_tokens: one.max_tokens }),
    ...one.extra_body,
  };
  if (!one.stream) {
    const answer = await sdk.chat.completions.create(asked);
    return { text: answer.choices[0].message.content, model: answer.model, total_tokens: answer.usage.total_tokens };
  }
  const stream = await sdk.chat.completions.create({ ...asked, stream: true, stream_options: { include_usage: true } });
  const pieces = [];
  let totalTokens = null;
  for await (const chunk of stream) {
    pieces.push(...chunk.choices.map((choice) => choice.delta.content).filter(Boolean));
    totalTokens = chunk.usage?.total_tokens ?? totalTokens;
  }
  return { text: pieces.join(""), pieces: pieces.length, total_tokens: totalTokens };
}

function refusal(error) {
  return {
    error: error.constructor.name,
    message: error.message,
    status: error.status ?? null,
    code: error.code ?? null,
    type: error.type ?? null,
    retry_after: error.headers?.get("retry-after") ?? null,
    should_retry: error.headers?.get("x-should-retry") ?? null,
    decision: error.headers?.get("pactgate-decision") ?? null,
  };
}

for (const one of given.cases) {
  for (let count = 0; count < (one.times ?? 1); count += 1) {
    let told;
    try {
      told = await complete(client.withOptions({ maxRetries: one.max_retries ?? 2 }), one);
    } catch (error) {
      if (!(error instanceof OpenAI.OpenAIError)) throw error;
      told = refusal(error);
    }
    console.log(JSON.stringify({ case: one.name, ...told, retries }));
  }
}
const ids = [];
for await (const model of client.models.list()) ids.push(model.id);
console.log(JSON.stringify({ case: "models", ids }));
