//! What a status and a body mean together.

use super::{assert_classes, judged, rows};

#[test]
fn a_status_with_an_unreadable_body_has_a_class_of_its_own() {
    let table = "
        broken          301 302 304 307 407 600 999
        invalid_request 400 404 405 410 413 415 422
        auth            401 403
        quota_exhausted 402 412
        timeout         408 425 499
        server_error    409 424 500 501 502 504 530
        rate_limited    429
        overloaded      498 503 520 521 522 523 524 525 526 527 529
    ";
    let bodies = [
        "",
        "<html>nginx</html>",
        "{",
        "[]",
        "null",
        "3",
        "{\"error\":{}}",
    ];
    for (class, statuses) in rows(table) {
        for (status, body) in statuses
            .split(' ')
            .flat_map(|s| bodies.map(|body| (s, body)))
        {
            let failure = judged(status.parse().unwrap(), body);
            assert_eq!(failure.class.name(), class, "{status} {body}");
            assert_eq!(failure.said, None, "{status} {body}");
        }
    }
}

#[test]
fn money_goes_before_everything() {
    assert_classes(
        r#"
        429 quota_exhausted {"error":{"type":"insufficient_quota","code":"insufficient_quota"}}
        # Early 2023: only the type told.
        429 quota_exhausted {"error":{"message":"m","type":"insufficient_quota","code":null}}
        429 quota_exhausted {"error":{"type":"requests","code":"credit_balance_exhausted"}}
        429 quota_exhausted {"error":{"code":"organization_spend_limit_exceeded"}}
        429 quota_exhausted {"error":{"code":"project_spend_limit_exceeded"}}
        429 quota_exhausted {"error":{"code":"organization_usage_limit_exceeded"}}
        429 quota_exhausted {"error":{"type":"billing_not_active","code":"billing_not_active"}}
        400 quota_exhausted {"error":{"code":"billing_hard_limit_reached"}}
        400 quota_exhausted {"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}
        400 quota_exhausted {"type":"error","error":{"type":"invalid_request_error","message":"You have reached your specified API usage limits. You will regain access on 2026-12-01."}}
        400 invalid_request {"type":"error","error":{"type":"invalid_request_error","message":"messages.0: \"your credit balance is too low\" is no role"}}
        429 quota_exhausted {"type":"error","error":{"type":"rate_limit_error","message":"Spent.","details":{"error_code":"enforced_spend_limit_reached"}}}
        429 rate_limited    {"type":"error","error":{"type":"rate_limit_error","message":"Slower.","details":{"error_code":null}}}
        401 quota_exhausted {"error":{"code":"account_deactivated"}}
        403 quota_exhausted {"error":{"code":"insufficient_quota"}}
        402 quota_exhausted {"error":{"message":"Insufficient Balance","code":"invalid_request_error"}}
        402 quota_exhausted {"error":{"code":402,"message":"Credits are needed"}}
        412 quota_exhausted {"error":{"message":"The account is suspended"}}
        412 server_error    {"error":{"message":"LoRA adapter failed to load"}}
        429 quota_exhausted {"error":{"message":"You exceeded your current quota, please check your plan and billing details."}}
        # Gemini says the same of a rate a minute.
        429 rate_limited    [{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED"}}]
        # But a quota of a day is money, whatever wait is named.
        429 quota_exhausted {"error":{"code":429,"message":"m. Please retry in 36s.","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]},{"retryDelay":"36s"}]}}
        400 quota_exhausted {"error":{"code":400,"message":"Gemini API free tier is not available in your country. Please enable billing on your project.","status":"FAILED_PRECONDITION"}}
        400 auth            {"error":{"code":400,"message":"User location is not supported for the API use.","status":"FAILED_PRECONDITION"}}
        403 quota_exhausted {"error":{"code":403,"message":"m","status":"PERMISSION_DENIED","details":[{"reason":"BILLING_DISABLED"}]}}
        # OpenRouter: what is in flight fills the budget for now.
        402 rate_limited    {"error":{"code":402,"message":"m","metadata":{"limit_source":"openrouter_in_flight_budget"}}}
        402 quota_exhausted {"error":{"code":402,"message":"m","metadata":{"limit_source":"credits"}}}
        "#,
    );
}

#[test]
fn the_429s_are_told_apart() {
    assert_classes(
        r#"
        429 rate_limited    {"error":{"message":"Rate limit reached for m in organization org-x on tokens per min (TPM): Limit 30000, Used 14567, Requested 24754. Please try again in 18.642s.","type":"tokens","code":"rate_limit_exceeded"}}
        429 context_length  {"error":{"message":"Request too large for m on tokens per min (TPM): Limit 30000, Requested 30601.","type":"tokens","code":"rate_limit_exceeded"}}
        413 context_length  {"error":{"message":"Request too large for model `m` on tokens per minute (TPM): Limit 6000, Requested 9000","type":"tokens","code":"rate_limit_exceeded"}}
        429 context_length  {"error":{"message":"Rate limit reached: Limit: 30,000 / min. Requested: 30,001","code":"rate_limit_exceeded"}}
        429 rate_limited    {"error":{"message":"Limit 3, Requested 3","code":"rate_limit_exceeded"}}
        429 rate_limited    {"error":{"message":"m","type":"rate_limit_error","code":"slow_down"}}
        503 rate_limited    {"error":{"message":"m","code":"slow_down"}}
        429 overloaded      {"error":{"message":"The engine is currently overloaded, please try again later","type":"requests"}}
        429 overloaded      {"error":{"message":"Selected model is at capacity"}}
        503 overloaded      {"error":{"type":"service_unavailable_error","code":"server_is_overloaded"}}
        # Azure.
        429 rate_limited    {"error":{"code":"429","message":"Requests have exceeded token rate limit of your current S0 pricing tier. Please retry after 7 seconds."}}
        429 overloaded      {"error":{"code":"429","message":"System is experiencing high demand."}}
        429 overloaded      {"error":{"code":"429","message":"It exceeds the maximum usage size allowed during peak load. Please retry after 6 seconds"}}
        429 rate_limited    {"error":{"code":"RateLimitReached","message":"m","details":"m"}}
        # Others.
        429 rate_limited    {"object":"error","message":"Rate limit exceeded","type":"rate_limited","code":"1300","raw_status_code":429}
        429 overloaded      {"object":"error","message":"Service tier capacity exceeded for this model.","type":"service_tier_capacity_exceeded","code":"3505"}
        429 overloaded      {"message":"Service tier capacity exceeded for this model."}
        429 rate_limited    {"error":{"code":429,"message":"Provider returned error","metadata":{"provider_name":"P","raw":"busy"}}}
        498 overloaded      {"error":{"message":"m","code":"capacity_exceeded"}}
        503 overloaded      {"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}
        529 overloaded      {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}
        "#,
    );
}

#[test]
fn a_key_is_wrong_in_more_ways_than_401() {
    assert_classes(
        r#"
        401 auth            {"error":{"message":"m","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}
        401 auth            {"error":{"message":"m","type":"invalid_request_error","code":"invalid_api_key"},"status":401}
        401 auth            {"error":{"code":"401","message":"Access denied"}}
        401 auth            {"detail":"Invalid API Key"}
        401 auth            {"error":{"message":"m","type":"authentication_error","code":"invalid_request_error"}}
        401 auth            {"error":{"message":"m","type":"invalid_api_key","code":401}}
        403 auth            {"error":{"code":"forbidden","message":"Forbidden","type":"invalid_request_error"}}
        403 auth            {"error":{"code":"unsupported_country_region_territory"}}
        403 auth            {"error":{"message":"The project may not use the model","code":"model_not_found"}}
        400 auth            {"code":"invalid-argument","error":"Incorrect API key provided. You can obtain one."}
        400 auth            [{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}]
        400 auth            {"error":{"code":400,"message":"User location is not supported.","status":"FAILED_PRECONDITION"}}
        # A request that quotes such a text must not bench the account.
        400 invalid_request {"error":{"message":"Invalid value: 'incorrect api key provided'","type":"invalid_request_error"}}
        "#,
    );
}

#[test]
fn a_model_is_missing_in_more_ways_than_404() {
    assert_classes(
        r#"
        404 target_missing  {"error":{"message":"m","type":"invalid_request_error","code":"model_not_found"}}
        400 target_missing  {"error":{"message":"m","param":"model","code":"model_not_found"}}
        404 target_missing  {"error":{"code":"DeploymentNotFound","message":"m"}}
        404 target_missing  {"error":{"message":"The model `x` does not exist.","type":"NotFoundError","code":404}}
        404 target_missing  {"error":{"message":"model 'x' not found","type":"not_found_error"}}
        404 target_missing  {"id":"1","message":"model 'x' not found, check the ID"}
        404 target_missing  {"error":"Specified model not found: x"}
        404 target_missing  {"type":"error","error":{"type":"not_found_error","message":"model: x"}}
        404 target_missing  {"error":{"code":404,"message":"No endpoints found for x/y."}}
        404 target_missing  [{"error":{"code":404,"message":"models/x is not found for API version v1","status":"NOT_FOUND"}}]
        400 target_missing  {"object":"error","message":"Invalid model: x","type":"invalid_model","code":"1500"}
        400 target_missing  {"code":"invalid-argument","error":"Model not found: x"}
        400 target_missing  {"error":{"code":400,"message":"x/y is not a valid model ID"}}
        400 target_missing  {"error":{"message":"The supported API model names are a or b, but you passed c.","code":"invalid_request_error"}}
        400 target_missing  {"error":{"code":"invalid_value","message":"The model 'x' does not exist.","param":"model","type":"image_generation_user_error"}}
        # A 404 about anything else is the caller's.
        404 invalid_request {"error":{"message":"No such File object: file-1","type":"invalid_request_error"}}
        404 invalid_request {"error":{"code":"404","message":"Resource not found"}}
        404 invalid_request {"error":{"message":"Previous response with id 'r' not found.","code":"previous_response_not_found"}}
        404 invalid_request {"error":{"code":404,"message":"No endpoints found that support tool use."}}
        404 invalid_request {"detail":"Not Found"}
        400 invalid_request {"error":{"message":"Invalid value: 'model not found'","type":"invalid_request_error"}}
        "#,
    );
}

#[test]
fn a_request_too_long_is_known_by_word_or_phrase() {
    assert_classes(
        r#"
        400 context_length  {"error":{"message":"m","param":"messages","code":"context_length_exceeded"}}
        400 context_length  {"error":{"message":"m","type":"exceed_context_size_error","n_ctx":512}}
        400 context_length  {"error_type":"TOO_MANY_TOKENS","message":"m"}
        400 context_length  {"error":{"message":"m","type":"too_many_prompt_tokens","code":400}}
        400 context_length  {"object":"error","message":"This model's maximum context length is 8 tokens.","type":"BadRequestError","code":400}
        400 context_length  {"error":{"message":"Your input exceeds the context window"}}
        400 context_length  {"error":{"message":"8 tokens exceeds the available context size"}}
        400 context_length  {"error":{"message":"prompts exceed context limit"}}
        400 context_length  {"error":{"message":"the model's maximum context limit"}}
        400 context_length  {"error":{"message":"It is longer than the model's context length"}}
        400 context_length  {"error":{"message":"Input tokens exceed the configured limit"}}
        400 context_length  {"error":{"message":"prompt too long; exceeded max context length by 9 tokens"}}
        400 context_length  {"error":{"message":"the count (9) exceeds the maximum number of tokens allowed (8)"}}
        400 context_length  {"message":"Current length is 9 while limit is 8"}
        400 context_length  {"message":"too many tokens: size limit exceeded by 9"}
        422 context_length  {"error":"`inputs` tokens + `max_new_tokens` must be <= 8","error_type":"validation"}
        403 context_length  {"error":{"message":"`inputs` tokens + `max_new_tokens` must be <= 8"}}
        413 context_length  {"error":{"message":"Too many tokens in the request"}}
        413 invalid_request {"error":{"message":"Request Entity Too Large","type":"request_too_large"}}
        500 context_length  {"error":{"code":500,"message":"input is too large to process","type":"server_error"}}
        400 context_length  {"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens > 8 maximum"}}
        # A field of its own limit is no conversation.
        400 invalid_request {"error":{"message":"'user' beyond maximum context length","param":"user","code":"string_above_max_length"}}
        "#,
    );
}

#[test]
fn content_policy_is_final() {
    assert_classes(
        r#"
        400 policy          {"error":{"message":"m","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}
        400 policy          {"error":{"message":"m","innererror":{"code":"ResponsibleAIPolicyViolation"}}}
        400 policy          {"error":{"message":"m","code":"invalid_prompt"}}
        400 policy          {"error":{"message":"m","code":"content_policy_violation"}}
        400 policy          {"error":{"message":"m","type":"image_generation_user_error","code":"moderation_blocked"}}
        403 policy          {"error":{"code":403,"message":"m","metadata":{"reasons":["violence"],"flagged_input":"x","provider_name":"P"}}}
        403 auth            {"error":{"code":403,"message":"m","metadata":{"reasons":null,"provider_name":"P"}}}
        400 policy          {"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy."}}
        400 policy          {"error":{"message":"Your request was rejected as a result of our safety system."}}
        500 policy          {"error":{"message":"The model produced invalid content."}}
        "#,
    );
}

#[test]
fn mistakes_and_faults_are_told_apart() {
    assert_classes(
        r#"
        400 invalid_request {"error":{"message":"m","type":"invalid_request_error","param":"stop","code":"unsupported_parameter"}}
        400 invalid_request {"error":{"message":"m","type":"invalid_request_error","param":null,"code":null}}
        400 invalid_request {"code":400,"message":"Validation: n","type":"Bad Request"}
        422 invalid_request {"detail":[{"loc":["body","messages"],"msg":"Field required"}]}
        400 broken          {"error":{"message":"m","type":"invalid_request_error","code":"tool_use_failed"}}
        500 server_error    {"error":{"message":"m","type":"server_error","param":null,"code":null}}
        500 invalid_request {"error":{"message":"image input is not supported","type":"server_error"}}
        500 invalid_request {"error":{"message":"tools param requires --jinja flag","type":"server_error"}}
        501 invalid_request {"error":{"code":501,"message":"m","type":"not_supported_error"}}
        502 server_error    {"error":{"code":502,"message":"m"}}
        500 server_error    {"error":{"message":"m","type":"authentication_error"}}
        504 server_error    {"error":{"message":"m"}}
        "#,
    );
}
