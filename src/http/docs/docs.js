// The reference page: Swagger UI over /openapi.json, with three things that it lacks.
//
// 1. The contract's own examples (x-codeSamples) stand above the form of each operation.
// 2. A login tried here authorizes the calls that follow. The token stays in this page's memory: a reload forgets it.
// 3. The stream can be tried: the page listens for a few seconds and shows what came. (Swagger UI waits for the end of
//    an answer, and a stream has none.)
//
// It loads nothing from another host and works under the content-security-policy that it is served with. It stands
// wherever a proxy has put it: calls go to the place that this page came from.

const LISTEN_MS = 8000; // long enough to log in elsewhere and send something; short enough to wait for

/** Where this page is, without its last slash; and the path of that, under which a proxy may have put everything. */
const base = new URL('.', location.href).href.slice(0, -1);
const under = new URL('.', location.href).pathname.slice(0, -1);

const ui = globalThis.SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#reference',
  validatorUrl: null, // the default sends the contract's address to validator.swagger.io
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  defaultModelExpandDepth: 3,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  plugins: [samples],
  requestInterceptor(request) {
    request.url = placed(request.url);
    if (pathOf(request.url) === '/v1/events') request.userFetch = listenForAWhile;
    return request;
  },
  responseInterceptor(response) {
    useTokens(response);
    return response;
  },
});

const dark = matchMedia('(prefers-color-scheme: dark)');
const paint = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
dark.addEventListener('change', paint);
paint();

/** The contract's server `/` is the root of the host: what goes there belongs to where this page is. */
function placed(address) {
  const url = new URL(address, location.href);
  if (url.origin === location.origin && !url.pathname.startsWith(`${under}/`))
    url.pathname = under + url.pathname;
  return url.href;
}

function pathOf(address) {
  const { pathname } = new URL(address, location.href);
  return pathname.startsWith(`${under}/`) ? pathname.slice(under.length) : pathname;
}

function samples() {
  return {
    wrapComponents: {
      parameters: (Parameters, { React, getComponent, specSelectors }) =>
        function WithSamples(props) {
          const Code = getComponent('HighlightCode', true);
          const found = specSelectors.specJson().getIn(['paths', ...props.pathMethod, 'x-codeSamples']);
          const shown = (found?.toJS() ?? []).map(({ label, source }) =>
            React.createElement(
              'section',
              { className: 'sample', key: label },
              React.createElement('h4', null, label),
              React.createElement(
                Code,
                { language: 'bash' },
                source.trim().replaceAll('http://127.0.0.1:3000', base),
              ),
            ),
          );
          return React.createElement(React.Fragment, null, ...shown, React.createElement(Parameters, props));
        },
    },
  };
}

function useTokens({ ok, url, body }) {
  const path = pathOf(url);
  if (ok && (path === '/v1/login' || path === '/v1/refresh')) {
    ui.preauthorizeApiKey('bearerAuth', body.accessToken);
    say(`Logged in as ${body.account.username}.`);
  }
  if (ok && path === '/v1/logout') {
    ui.authActions.logout(['bearerAuth']);
    say('Logged out.');
  }
}

function say(words) {
  document.querySelector('#session').textContent = words;
}

async function listenForAWhile(url, request) {
  const stop = new AbortController();
  const response = await fetch(url, { ...request, signal: stop.signal });
  if (!response.ok) return response;
  const timer = setTimeout(() => stop.abort(), LISTEN_MS);
  let heard = '';
  try {
    for (const reader = response.body.pipeThrough(new TextDecoderStream()).getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      heard += value;
    }
  } catch {
    heard += `: this page stopped listening after ${LISTEN_MS / 1000} s; the stream would go on\n`;
  }
  clearTimeout(timer);
  const { status, statusText, headers } = response;
  return Object.defineProperty(new Response(heard, { status, statusText, headers }), 'url', {
    value: response.url,
  });
}
