"""A transport that answers from a list and records what it was asked to send."""

from __future__ import annotations

import json
from typing import Any

from linksfield_async.protocol import Request, Response
from linksfield_async.transport.base import Limits


class Answering:
    """Stands where production's transport stands: what was sent is there to be looked at."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.requests: list[Request] = []
        self.limits: list[Limits] = []

    async def send(self, request: Request, limits: Limits) -> Response:
        self.requests.append(request)
        self.limits.append(limits)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Response):
            return answer
        return Response(200, json.dumps(answer).encode())
