"""s3.py list | get KEY | put KEY FILE | delete KEY: one bucket, by the variables that nacre reads (NACRE_ARTIFACTS, AWS_…), signed
on its own. KEY is below the prefix."""
import datetime, hashlib, hmac, os, re, sys, urllib.error, urllib.parse, urllib.request

endpoint = os.environ["AWS_ENDPOINT_URL"]
bucket, _, prefix = os.environ["NACRE_ARTIFACTS"].removeprefix("s3://").partition("/")
region = os.environ.get("AWS_REGION", "us-east-1")


def ask(method, path, query=None, body=b""):
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    parameters = "&".join(f"{name}={urllib.parse.quote(value, safe='')}" for name, value in sorted((query or {}).items()))
    digest = hashlib.sha256(body).hexdigest()
    headers = {"host": urllib.parse.urlsplit(endpoint).netloc, "x-amz-content-sha256": digest, "x-amz-date": now}
    names = ";".join(sorted(headers))
    request = "\n".join([method, path, parameters, *(f"{name}:{headers[name]}" for name in sorted(headers)), "", names, digest])
    scope = f"{now[:8]}/{region}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = ("AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"]).encode()
    for part in (now[:8], region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={os.environ['AWS_ACCESS_KEY_ID']}/{scope}, SignedHeaders={names}, "
                                f"Signature={hmac.new(key, text.encode(), hashlib.sha256).hexdigest()}")
    url = endpoint + path + ("?" + parameters if parameters else "")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return opener.open(urllib.request.Request(url, method=method, headers=headers, data=body or None)).read()


def key_path(key):
    return f"/{bucket}/{prefix}/{key}" if prefix else f"/{bucket}/{key}"


if sys.argv[1] == "list":
    token = None
    while True:
        query = {"list-type": "2", "prefix": prefix}
        if token:
            query["continuation-token"] = token
        page = ask("GET", f"/{bucket}", query).decode()
        for key in re.findall(r"<Key>([^<]*)</Key>", page):
            print(key.removeprefix(prefix + "/"))
        found = re.search(r"<NextContinuationToken>([^<]*)<", page)
        token = found and found[1]
        if "<IsTruncated>true" not in page:
            break
elif sys.argv[1] == "get":
    sys.stdout.buffer.write(ask("GET", key_path(sys.argv[2])))
elif sys.argv[1] == "put":
    ask("PUT", key_path(sys.argv[2]), body=open(sys.argv[3], "rb").read())
elif sys.argv[1] == "delete":
    ask("DELETE", key_path(sys.argv[2]))
