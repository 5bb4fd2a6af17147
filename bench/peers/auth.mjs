/** The token check of the peers that have none of their own. The key is made once: a string costs 0.3 ms per check. */
import { createSecretKey } from 'node:crypto';
import jwt from 'jsonwebtoken';

const key = createSecretKey(Buffer.from(process.env.JWT_SECRET ?? ''));

export const usernameOf = (token) => jwt.verify(token, key, { algorithms: ['HS256'] }).sub;

/** Express: `req.username`, or 401. */
export function authenticated(req, res, next) {
  try {
    req.username = usernameOf((req.headers.authorization ?? '').slice('Bearer '.length));
  } catch {
    return res.status(401).json({ error: 'unauthenticated' });
  }
  next();
}
